"""Settings of the adversarial autoencoder."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ganbench.config.frozen import list_field
from ganbench.config.methods.base import Part, Recipe


class AdversarialAutoencoder(Recipe):
    """Encoder, decoder, a critic of codes, and Adam for each of the three steps of an update."""

    hidden: tuple[PositiveInt, ...] = list_field(
        "Rectified units of each hidden layer of the encoder and the critic; the decoder has them "
        "in reverse.",
        default=(1000, 1000),
        min_length=1,
    )
    code: PositiveInt = Field(default=8, description="Dimensions of the code, standard normal.")
    critic_noise: NonNegativeFloat = Field(
        default=0.3, description="Standard deviation of the normal noise on what the critic sees."
    )
    batch_size: PositiveInt = Field(default=100, description="Images per update.")
    epochs: PositiveInt = Field(default=100, description="Passes over the training images.")
    learning_rate: PositiveFloat = Field(default=1e-3, description="Of the reconstruction's step.")
    adversarial_rate: PositiveFloat = Field(
        default=1e-3, description="Of the critic's step and of the encoder's against it."
    )
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.5, description="Adam's momentum in the two adversarial steps; .9 in the other."
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        """One: all networks are trained together."""
        return (Part(self.epochs, self.batch_size),)
