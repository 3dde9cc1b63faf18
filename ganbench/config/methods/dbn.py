"""Settings of the deep belief network, a stack of restricted Boltzmann machines."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ganbench.config.frozen import Frozen, list_field
from ganbench.config.methods.base import Chains, Part, Recipe


class RbmLayer(Frozen):
    """One restricted Boltzmann machine on the layer below it."""

    units: PositiveInt = Field(description="Binary hidden units.")
    epochs: PositiveInt = Field(description="Passes over the training images.")
    inputs: Literal["binary", "probabilities"] = Field(
        description="Probabilities from below: drawn as bits at each visit, or as they are."
    )


class DbnChains(Chains):
    """Gibbs chains of the top machine, each state passed down to the pixels."""

    hidden: Literal["binary", "probabilities"] = Field(
        default="binary", description="What the hidden layers below the top one pass down."
    )


def _ways() -> dict[str, DbnChains]:
    return {
        "one_chain": DbnChains(chains=1),
        "one_chain_binary": DbnChains(chains=1, pixels="binary"),
        "one_chain_thinned": DbnChains(chains=1, burn_in=100, thin=10),
        "100_chains": DbnChains(chains=100, burn_in=200, thin=10),
        "100_chains_binary": DbnChains(chains=100, burn_in=200, thin=10, pixels="binary"),
        "100_chains_probabilities": DbnChains(
            chains=100, burn_in=200, thin=10, hidden="probabilities"
        ),
        "100_chains_from_noise": DbnChains(chains=100, burn_in=1000, thin=10, start="noise"),
        # Twenty steps hardly leave the training image that each chain starts at.
        "10000_chains": DbnChains(chains=10_000, burn_in=20),
        "reconstructions": DbnChains(chains=10_000, hidden="probabilities"),
    }


class Dbn(Recipe):
    """Layers trained one after the other, and how the stack is sampled."""

    layers: tuple[RbmLayer, ...] = list_field(
        "From the pixels up.",
        default=(
            RbmLayer(units=1000, epochs=100, inputs="binary"),
            RbmLayer(units=1000, epochs=100, inputs="probabilities"),
        ),
        min_length=1,
    )
    negative_phase: Literal["contrastive_divergence", "persistent"] = Field(
        "contrastive_divergence",
        description="Chains for the model's part of the gradient: from the minibatch, or going on.",
    )
    gibbs_steps: PositiveInt = Field(1, description="Of those chains, an update.")
    particles: PositiveInt = Field(100, description="Persistent chains, if there are any.")
    batch_size: PositiveInt = Field(100, description="Images per update.")
    learning_rate: PositiveFloat = Field(0.1, description="In a layer's first epoch.")
    final_learning_rate: PositiveFloat = Field(
        0.1, description="In a layer's last epoch; linear between."
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Classical momentum, on from a layer's sixth epoch; at most 0.5 before."
    )
    weight_decay: NonNegativeFloat = Field(0.0, description="Of the weights, not the biases.")
    ways: dict[str, DbnChains] = Field(
        default_factory=_ways,
        min_length=1,
        description="Ways to sample; the first is the headline.",
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        """One for each layer."""
        return tuple(Part(layer.epochs, self.batch_size) for layer in self.layers)
