"""What every run shares, whatever the method: epochs, phases, monitoring and diverged seeds.

A run can be checkpointed after any update on a CPU, and after any epoch on a GPU.

Everything random is keyed by a seed, a name and a counter, so that an interrupted run that goes on
equals an uninterrupted one bit for bit, looking at a run never changes it, and a seed's streams do
not depend on which others share its process.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganbench import seeding
from ganbench.config import Experiment
from ganbench.data.rows import Images
from ganbench.evaluation import diversity, parzen
from ganbench.methods.counters import Counters
from ganbench.training.history import Row, SeedProgress, failure
from ganbench.training.monitoring import monitor


class BaseRun(ABC):
    """Seeds of one experiment that move in step.

    Args:
        experiment: the settings.
        seeds: key every random stream.
        train: the training images.
        validation: rows on which the likelihood is monitored.
        folds: number of folds of the data set, for the protocol.
        device: where the networks live.

    Attributes:
        losses: names of what is summed over an epoch's updates, in this order.
    """

    losses: tuple[str, ...]

    def __init__(
        self,
        experiment: Experiment,
        seeds: Sequence[int],
        train: Images,
        validation: Float[Tensor, "m d"],
        folds: int,
        device: str = "cpu",
    ) -> None:
        self.experiment, self.seeds = experiment, tuple(seeds)
        self.train, self.device = train, torch.device(device)
        self.protocol = parzen.PROTOCOLS[experiment.evaluation.protocol]
        self.validation = self.protocol.validation_images(validation, folds)
        # The images that the sample metrics look at too: one generator has one collapse share.
        self.reference = train.rows(diversity.spread(len(train)).to(train.raw.device))
        self.counters = Counters()
        self.progress = [SeedProgress() for _ in seeds]
        shape = len(seeds), len(self.losses)
        self.sums: Tensor = torch.zeros(shape, dtype=torch.float64, device=device)
        self.noise = [seeding.generator(seed, "noise", 0) for seed in seeds]
        self.best: list[dict[str, Tensor]] = [{} for _ in seeds]

    @property
    def finished(self) -> bool:
        """Whether every epoch of every phase is done, or no seed is left that has not diverged."""
        return self.counters.phase == len(self.experiment.phase_epochs) or not self.alive

    @property
    def alive(self) -> list[int]:
        """Places of the seeds that have not diverged."""
        return [s for s, progress in enumerate(self.progress) if progress.failure is None]

    @property
    @abstractmethod
    def batch_sizes(self) -> tuple[int, ...]:
        """Images per update, in each phase."""

    @property
    def batches(self) -> int:
        """Minibatches in an epoch of this phase; an incomplete last one counts."""
        return self._batches(min(self.counters.phase, len(self.batch_sizes) - 1))

    def _batches(self, phase: int) -> int:
        return math.ceil(len(self.train) / self.batch_sizes[phase])

    def updates_after(self, epochs: int) -> int:
        """Returns the number of updates in the first so many epochs."""
        updates = 0
        for phase, there in enumerate(self.experiment.phase_epochs):
            updates += min(epochs, there) * self._batches(phase)
            epochs -= min(epochs, there)
        return updates

    def run_epoch(self, after_update: Callable[[], None]) -> dict[int, Row]:
        """Trains to the end of the current epoch.

        A seed whose losses, weights or validation likelihood are not finite then is marked as
        diverged and gets no further row; the others go on.

        Args:
            after_update: called after every update but the epoch's last; may save the state, or
                raise to stop the run.

        Returns:
            The epoch's row of the history of each place in `seeds` that has not diverged.
        """
        counters = self.counters
        # Each epoch has a noise stream of its own, so that a run can resume in the middle of one.
        if counters.batch == 0:
            self.noise = [
                seeding.generator(seed, "noise", counters.epoch + 1) for seed in self.seeds
            ]
        order = self._order(counters.epoch)
        self.before_epoch(order)
        # On a GPU all but the last update may have been made by now.
        while counters.batch < self.batches:
            size = self.batch_sizes[counters.phase]
            self.update(order[:, counters.batch * size :][:, :size])
            if counters.batch < self.batches:
                after_update()
        return self._end_epoch()

    def before_epoch(self, order: Int64[Tensor, "s images"]) -> None:
        """May make updates of the epoch that begins or goes on, in another way than `update`."""
        return

    @abstractmethod
    def update(self, index: Int64[Tensor, "s n"]) -> Any:
        """Makes the next update of the current epoch, counts it and adds its losses to the sums.

        Args:
            index: which training images each seed's minibatch has.
        """

    @abstractmethod
    def start_phase(self, number: int) -> None:
        """Prepares what the updates of a phase move."""

    @abstractmethod
    def weights(self, s: int) -> Mapping[str, Tensor]:
        """Returns what the seed at place `s` is sampled from, as it is now."""

    @abstractmethod
    def sample(self, count: int, stream: torch.Generator, s: int = 0) -> Float[Tensor, "n d"]:
        """Returns samples of the seed at place `s` as it is now."""

    @abstractmethod
    def epoch_rows(self) -> list[Row]:
        """Returns each seed's row of this epoch, likelihood left out."""

    @abstractmethod
    def finite(self) -> list[bool]:
        """Returns for each seed whether all its weights are finite."""

    @property
    def monitored(self) -> bool:
        """Whether this epoch, just done, gets a likelihood."""
        counters, evaluation = self.counters, self.experiment.evaluation
        return (
            counters.phase_epoch == self.experiment.phase_epochs[counters.phase]
            or counters.epoch % evaluation.monitor_every == 0
            or counters.epoch in evaluation.report_epochs
        )

    @abstractmethod
    def state(self, s: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Returns the tensors and the counters of the seed at place `s`, for `restore`."""

    @abstractmethod
    def restore(self, saved: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Goes back to states that `state` returned after the same update, one for each seed."""

    def _order(self, epoch: int) -> Int64[Tensor, "s images"]:
        """The order in which each seed sees the training images in an epoch, from 0."""
        orders = []
        for seed in self.seeds:
            stream = seeding.generator(seed, "data_order", epoch + 1)
            orders.append(torch.randperm(len(self.train), generator=stream))
        return torch.stack(orders)

    def _end_epoch(self) -> dict[int, Row]:
        counters = self.counters
        counters.epoch += 1
        counters.phase_epoch += 1
        new_rows, finite, monitored = self.epoch_rows(), self.finite(), self.monitored
        rows = {}
        for s in self.alive:
            row = new_rows[s]
            if monitored:
                monitor(self, s, row)
            self.progress[s].failure = failure(row, self.losses, finite[s])
            if self.progress[s].failure is None:
                self.progress[s].history.append(row)
                rows[s] = row
        counters.batch = 0
        self.sums.zero_()
        if counters.phase_epoch == self.experiment.phase_epochs[counters.phase]:
            self._next_phase()
        return rows

    def _next_phase(self) -> None:
        """The best state of an earlier phase has other layers and is dropped with it."""
        counters = self.counters
        counters.phase += 1
        counters.phase_epoch = counters.phase_updates = 0
        if not self.finished:
            for progress in self.progress:
                progress.best_log_likelihood = None
            self.start_phase(counters.phase)
