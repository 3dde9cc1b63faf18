"""Settings of the variational autoencoder; the sizes are those of the best one in print."""

from pydantic import Field, PositiveFloat, PositiveInt

from ganbench.config.frozen import list_field
from ganbench.config.methods.base import Part, Recipe


class Vae(Recipe):
    """Encoder, decoder and Adam; a normal code, Bernoulli pixels."""

    hidden: tuple[PositiveInt, ...] = list_field(
        "Rectified units of each hidden layer of the encoder; the decoder has them in reverse.",
        default=(500, 500, 500),
        min_length=1,
    )
    code: PositiveInt = Field(default=8, description="Dimensions of the code, standard normal.")
    batch_size: PositiveInt = Field(default=100, description="Images per update.")
    epochs: PositiveInt = Field(default=100, description="Passes over the training images.")
    learning_rate: PositiveFloat = Field(default=1e-3, description="Of Adam.")

    @property
    def parts(self) -> tuple[Part, ...]:
        """One: both networks are trained together."""
        return (Part(self.epochs, self.batch_size),)
