"""Trains seeds of a method that is no pair of players, each after the other in every update."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganbench import seeding
from ganbench.config import Rival
from ganbench.data.rows import Images
from ganbench.methods.base import build
from ganbench.training import states
from ganbench.training.base import BaseRun
from ganbench.training.history import Row


class MethodRun(BaseRun):
    """Seeds of one experiment of a method; the arguments are those of its base."""

    experiment: Rival

    def __init__(
        self,
        experiment: Rival,
        seeds: Sequence[int],
        train: Images,
        validation: Float[Tensor, "m d"],
        folds: int,
        device: str = "cpu",
    ) -> None:
        means = train.pixel_means().to(device)
        self.methods = [
            build(experiment, means, seeding.generator(seed, "init", 0)) for seed in seeds
        ]
        self.losses = self.methods[0].losses
        super().__init__(experiment, seeds, train, validation, folds, device)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Images per update in each part of the recipe."""
        return tuple(part.batch_size for part in self.experiment.recipe.parts)

    @property
    def monitored(self) -> bool:
        """Whether this epoch gets a likelihood: earlier parts have no model to sample yet."""
        sampled = self.counters.phase >= self.experiment.recipe.first_sampled
        return sampled and super().monitored

    def update(self, index: Int64[Tensor, "s n"]) -> None:
        """Makes the next update of each seed that has not diverged.

        Args:
            index: which training images each seed's minibatch has.
        """
        counters = self.counters
        for s in self.alive:
            rows = self.train.rows(index[s].to(self.train.raw.device))
            losses = self.methods[s].update(rows, counters, self.noise[s])
            for name, value in losses.items():
                self.sums[s, self.losses.index(name)] += value
        counters.batch += 1
        counters.phase_updates += 1
        counters.updates += 1

    def start_phase(self, number: int) -> None:
        """Nothing: a method has the weights of all its parts from the start."""

    def weights(self, s: int) -> Mapping[str, Tensor]:
        """Returns what the seed at place `s` is sampled from, as it is now."""
        return self.methods[s].weights()

    def sample(self, count: int, stream: torch.Generator, s: int = 0) -> Float[Tensor, "n d"]:
        """Returns samples of the seed at place `s`, drawn in the recipe's first way."""
        way = next(iter(self.experiment.recipe.ways_to_sample.values()), None)
        return self.methods[s].sample(count, stream, self.train.rows(), way)

    def epoch_rows(self) -> list[Row]:
        """Returns each seed's row of this epoch; losses are means over it."""
        counters, rows = self.counters, []
        for s, method in enumerate(self.methods):
            rate, momentum = method.rates(counters)
            means = (self.sums[s] / self.batches).tolist()
            rows.append(
                {
                    "epoch": counters.epoch,
                    "phase": counters.phase + 1,
                    "updates": counters.updates,
                    "learning_rate": rate,
                    "momentum": momentum,
                    **dict(zip(self.losses, means, strict=True)),
                    "validation_log_likelihood": None,
                    "sigma": None,
                    "collapse_share": None,
                }
            )
        return rows

    def finite(self) -> list[bool]:
        """Returns for each seed whether all its tensors are finite."""
        tensors = [method.tensors().values() for method in self.methods]
        return [all(bool(value.isfinite().all()) for value in one) for one in tensors]

    def state(self, s: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Returns the tensors and the counters of the seed at place `s`, for `restore`."""
        return states.common_state(self, s, self._tensors(s))

    @torch.no_grad()
    def restore(self, saved: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Goes back to states that `state` returned after the same update, one for each seed."""
        states.restore_common(self, saved)
        for s, (tensors, _) in enumerate(saved):
            for name, value in self._tensors(s).items():
                value.copy_(tensors[name])

    def _tensors(self, s: int) -> dict[str, Tensor]:
        return {f"method.{name}": value for name, value in self.methods[s].tensors().items()}
