"""Settings of the deep generative stochastic network; defaults as released for MNIST."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ganbench.config.methods.base import Chains, Part, Recipe

WAYS = {
    # The released script: consecutive means of one chain that starts at one image.
    "one_chain": Chains(chains=1),
    "one_chain_binary": Chains(chains=1, pixels="binary"),
    "one_chain_thinned": Chains(chains=1, burn_in=100, thin=10),
    "100_chains": Chains(chains=100, burn_in=100),
    "100_chains_thinned": Chains(chains=100, burn_in=100, thin=10),
    "100_chains_from_noise": Chains(chains=100, burn_in=1000, thin=10, start="noise"),
    # Twenty rounds hardly leave the training image that each chain starts at.
    "10000_chains": Chains(chains=10_000, burn_in=20),
}


class DeepGsn(Recipe):
    """A denoising network of two hidden layers, trained through several rounds of its chain."""

    hidden: PositiveInt = Field(
        default=1500, description="Tanh units of each of the two hidden layers."
    )
    walkback: PositiveInt = Field(default=4, description="Rounds of the chain in an update.")
    salt_and_pepper: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.4,
        description="Probability that a pixel becomes a fair coin before it enters a round.",
    )
    hidden_noise: NonNegativeFloat = Field(
        default=2.0,
        description="Standard deviation of the noise before and after the upper layer's tanh.",
    )
    batch_size: PositiveInt = Field(default=100, description="Images per update.")
    epochs: PositiveInt = Field(default=1000, description="Passes over the training images.")
    learning_rate: PositiveFloat = Field(
        default=0.25, description="Of the averaged gradient, at first."
    )
    annealing: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.995, description="Factor of the learning rate after each epoch."
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.5, description="Weight of the past in the averaged gradient m <- w m + (1 - w) g."
    )

    ways: dict[str, Chains] = Field(
        default=WAYS,
        min_length=1,
        description="Named ways to sample the chain; the first is the headline.",
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        """One: all layers are trained together."""
        return (Part(self.epochs, self.batch_size),)
