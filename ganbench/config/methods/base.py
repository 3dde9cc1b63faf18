"""What the settings of every method share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from ganbench.config.frozen import Frozen


@dataclass(frozen=True)
class Part:
    """A stretch of training: of one layer, say, or of the whole.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per update.
    """

    epochs: int
    batch_size: int


class Chains(Frozen):
    """How samples are read off Markov chains that run side by side."""

    chains: PositiveInt = Field(description="How many run side by side, each as long.")
    burn_in: NonNegativeInt = Field(default=0, description="States left out at the start of each.")
    thin: PositiveInt = Field(
        default=1, description="Of the states after that, every so many-th is kept."
    )
    start: Literal["train", "noise"] = Field(
        default="train", description="First state: training images, or pixels uniform in [0, 1]."
    )
    pixels: Literal["means", "binary"] = Field(
        default="means", description="A sample is the probability of each pixel, or a draw from it."
    )


class Recipe(Frozen):
    """Settings of one method."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The stretches of training, in order."""
        raise NotImplementedError

    @property
    def first_sampled(self) -> int:
        """Index of the first part in which the model can be sampled: the last, unless it says."""
        return len(self.parts) - 1

    @property
    def ways_to_sample(self) -> Mapping[str, Frozen]:
        """Named ways to sample, the first one the headline; held by a field `ways`, if any."""
        return getattr(self, "ways", {})
