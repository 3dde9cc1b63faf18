"""Settings of the stacked contractive autoencoder; the layers' are its authors' released code's."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ganbench.config.frozen import Frozen, list_field
from ganbench.config.methods.base import Chains, Part, Recipe


class CaeLayer(Frozen):
    """One autoencoder, trained on the codes of the layers below it."""

    units: PositiveInt = Field(description="Sigmoid hidden units.")
    epochs: PositiveInt = Field(description="Passes over the training images.")


class CaeChains(Chains):
    """Chains of encode, move along the tangent directions, decode, in the top layer's space."""

    sigma: NonNegativeFloat = Field(
        description="Standard deviation of the step's noise; 0 reconstructs without moving."
    )


def _ways() -> dict[str, CaeChains]:
    ways = {"one_chain": CaeChains(chains=1, sigma=1.0)}
    for name, sigma in (("003", 0.03), ("01", 0.1), ("03", 0.3), ("1", 1.0)):
        ways[f"100_chains_sigma_{name}"] = CaeChains(chains=100, burn_in=100, sigma=sigma)
    ways["100_chains_from_noise"] = CaeChains(chains=100, burn_in=100, start="noise", sigma=0.1)
    ways["10000_chains"] = CaeChains(chains=10_000, burn_in=20, sigma=0.1)
    ways["reconstructions"] = CaeChains(chains=10_000, sigma=0.0)
    return ways


class StackedCae(Recipe):
    """Layers trained one after the other, and how the stack is sampled."""

    layers: tuple[CaeLayer, ...] = list_field(
        "From the pixels up.",
        default=(CaeLayer(units=1000, epochs=20), CaeLayer(units=1000, epochs=20)),
        min_length=1,
    )
    batch_size: PositiveInt = Field(20, description="Images per update.")
    learning_rate: PositiveFloat = Field(0.1, description="Of the loss's mean over a minibatch.")
    penalty: NonNegativeFloat = Field(
        0.05,
        description="Weight of the encoder's squared Jacobian norm. The released code says 0.1 and "
        "takes half of the derivative.",
    )
    ways: dict[str, CaeChains] = Field(
        default_factory=_ways,
        min_length=1,
        description="Ways to sample; the first is the headline.",
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        """One for each layer."""
        return tuple(Part(layer.epochs, self.batch_size) for layer in self.layers)
