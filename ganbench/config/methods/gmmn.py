"""Settings of the generative moment matching network; defaults as released for MNIST."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from ganbench.config.frozen import Frozen, list_field
from ganbench.config.methods.base import Part, Recipe

MNIST_WIDTHS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)


class Stretch(Frozen):
    """Epochs of one learning rate and momentum."""

    epochs: PositiveInt = Field(description="Passes over the training images.")
    learning_rate: PositiveFloat = Field(description="Of the gradient of sqrt(MMD^2).")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(description="Classical momentum.")


class Gmmn(Recipe):
    """The generator, the kernels and the schedule."""

    noise_dim: PositiveInt = Field(10, description="Dimensions of the noise, uniform(-1, 1).")
    hidden: tuple[PositiveInt, ...] = list_field(
        "Rectified units of each hidden layer.", default=(64, 256, 256, 1024), min_length=1
    )
    widths: tuple[PositiveFloat, ...] = list_field(
        "s of each kernel exp(-d^2 / (2 s)).",
        default=MNIST_WIDTHS,
        min_length=1,
    )
    batch_size: PositiveInt = Field(1000, description="Images, and fresh samples, per update.")
    schedule: tuple[Stretch, ...] = list_field("In order.", min_length=1)

    @property
    def parts(self) -> tuple[Part, ...]:
        """One for each stretch of the schedule."""
        return tuple(Part(stretch.epochs, self.batch_size) for stretch in self.schedule)

    @property
    def first_sampled(self) -> int:
        """Every part moves the same generator."""
        return 0
