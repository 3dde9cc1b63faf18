"""What a method is to the training loop: weights, an update of a minibatch, and samples."""

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Frozen, Recipe, Rival
from ganbench.methods.counters import Counters

Settings = TypeVar("Settings", bound=Recipe)


class Method(ABC, Generic[Settings]):
    """One seed of a method.

    Nothing but `tensors`, the counters and the epoch's stream may decide the next update, so that a
    run can be saved and resumed between any two. All randomness comes from the streams given.

    Args:
        recipe: the settings.
        means: of each pixel over the training images, [d]; also says where the weights live.
        stream: draws the first weights, on the CPU.

    Attributes:
        losses: names of what `update` returns, the columns of the history.
    """

    losses: ClassVar[tuple[str, ...]]

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        self.recipe, self.device = recipe, means.device

    @abstractmethod
    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the learning rate and the momentum of the last update of an epoch.

        Args:
            counters: after it, `phase_epoch` and `phase_updates` having moved on, `phase` not yet.
        """

    @abstractmethod
    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Makes the next update, in place, and returns its losses.

        Args:
            rows: a minibatch of images.
            counters: of the updates before this one: `phase` is the part's index,
                `phase_epoch` and `phase_updates` count within it.
            stream: of this epoch's noise, on the CPU.

        Returns:
            Scalars, measured before the weights moved, without gradient; names of `losses`.
        """

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Returns the tensors that `sample` reads, which are written as the trained model."""

    def tensors(self) -> dict[str, Tensor]:
        """Returns every tensor that the next update depends on, to be saved or overwritten."""
        return self.weights()

    @abstractmethod
    def sample(
        self,
        count: int,
        stream: torch.Generator,
        train: Float[Tensor, "n d"],
        way: Frozen | None = None,
    ) -> Float[Tensor, "count d"]:
        """Returns samples, pixels in the model's space.

        Args:
            count: how many.
            stream: of all noise, on the CPU.
            train: training images, at which a Markov chain may start.
            way: one of the recipe's `ways_to_sample`; the first if absent.
        """


def build(experiment: Rival, means: Float[Tensor, " d"], stream: torch.Generator) -> Method[Any]:
    """Returns a method with its first weights.

    Args:
        experiment: names the method.
        means: of each pixel over the training images, on the device.
        stream: draws the weights, on the CPU.
    """
    return import_module(f"ganbench.methods.{experiment.method}").METHOD(
        experiment.recipe, means, stream
    )
