"""Trains seeds of one experiment side by side: epochs, phases and monitoring.

A run can be checkpointed after any update on a CPU, and after any epoch on a GPU.

Everything random is keyed by a seed, a name and a counter, so that an interrupted run that goes on
equals an uninterrupted one bit for bit, looking at a run never changes it, and a seed's streams do
not depend on which others share its process.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganbench import seeding
from ganbench.config import Experiment, Phase, Precision
from ganbench.data.rows import Images
from ganbench.errors import ConfigError
from ganbench.evaluation import diversity, parzen
from ganbench.training import naive, networks, schedules, states
from ganbench.training.fused import engine, graph_epoch
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench.training.fused.replay import Replay
from ganbench.training.history import SUMS, Counters, Row, SeedProgress, failure, finite_weights
from ganbench.training.monitoring import epoch_rows, monitor
from ganbench.training.sampling import draw_noise, draw_samples
from ganbench_kernels.dispatch import can_compile


class Run:
    """Seeds of one experiment that move in step.

    Args:
        experiment: the settings.
        seeds: key every random stream.
        train: the training images.
        validation: rows on which the likelihood is monitored.
        folds: number of folds of the data set, for the protocol.
        device: where the networks live.
    """

    def __init__(
        self,
        experiment: Experiment,
        seeds: Sequence[int],
        train: Images,
        validation: Float[Tensor, "m d"],
        folds: int,
        device: str = "cpu",
    ) -> None:
        self.experiment, self.settings, self.seeds = experiment, experiment.training, tuple(seeds)
        self.train, self.device = train, torch.device(device)
        _require_device(self.settings.precision, self.device)
        self.protocol = parzen.PROTOCOLS[experiment.evaluation.protocol]
        self.validation = self.protocol.validation_images(validation, folds)
        # The images that the sample metrics look at too: one generator has one collapse share.
        self.reference = train.rows(diversity.spread(len(train)).to(train.raw.device))
        keys = [seeding.stream_seed(seed, "dropout") for seed in seeds]
        self.mask_seeds = torch.tensor(keys, device=self.device)
        self.counters = Counters()
        self.progress = [SeedProgress() for _ in seeds]
        self.sums = torch.zeros(len(seeds), len(SUMS), dtype=torch.float64, device=self.device)
        self.noise = [seeding.generator(seed, "noise", 0) for seed in seeds]
        self.best: list[dict[str, Tensor]] = [{} for _ in seeds]
        self.start_phase(0)

    @property
    def finished(self) -> bool:
        """Whether every epoch of every phase is done, or no seed is left that has not diverged."""
        return self.counters.phase == len(self.settings.phases) or not self.alive

    @property
    def alive(self) -> list[int]:
        """Places of the seeds that have not diverged."""
        return [s for s, progress in enumerate(self.progress) if progress.failure is None]

    @property
    def replays(self) -> bool:
        """Whether a GPU makes an epoch's updates by itself; only whole epochs can be saved then."""
        return self.fused and self.device.type == "cuda" and self.batches > 1

    @property
    def fused(self) -> bool:
        """Whether the fused engine updates the players; else `naive` does."""
        return self.settings.engine == "fused" and self.settings.update == "simultaneous"

    @property
    def batches(self) -> int:
        """Minibatches in an epoch; an incomplete last one counts."""
        return math.ceil(len(self.train) / self.settings.batch_size)

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
        outcome = None
        if self.replays and counters.batch == 0:
            outcome = graph_epoch.replay_epoch(self, order)
        # On a GPU all but the last update have been made by now.
        while counters.batch < self.batches:
            size = self.settings.batch_size
            outcome = self.update(order[:, counters.batch * size :][:, :size])
            if counters.batch < self.batches:
                after_update()
        assert outcome is not None
        return self._end_epoch(outcome)

    def sample(self, count: int, stream: torch.Generator, s: int = 0) -> Float[Tensor, "n d"]:
        """Returns samples of the generator at place `s` as it is now."""
        network = self.generator.networks[s]
        return draw_samples(network, self.experiment, count, stream, self.device)

    def state(self, s: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Returns the tensors and the counters of the seed at place `s`, for `restore`."""
        return states.state(self, s)

    def restore(self, saved: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Goes back to states that `state` returned after the same update, one for each seed."""
        states.restore(self, saved)

    def start_phase(self, number: int) -> None:
        """Fresh discriminators and fresh momentum; generators are new or get a new front."""
        phase: Phase = self.settings.phases[number]
        means = self.train.pixel_means().cpu()
        generators, discriminators = [], []
        for s, seed in enumerate(self.seeds):
            stream = seeding.generator(seed, "init", number)
            settings = self.experiment.generator
            if number == 0:
                network = networks.build_generator(settings, self.train.shape, means, stream)
            else:
                old = self.generator.networks[s].cpu()
                network = networks.put_in_front(
                    old, phase.generator_front, settings.noise_dim, stream
                )
            generators.append(network.to(self.device))
            discriminators.append(
                networks.build_discriminator(
                    self.experiment.discriminator, self.train.shape, stream
                ).to(self.device)
            )
        common = self.settings.max_column_norm, self.settings.precision
        self.generator = Player(generators, *common)
        self.discriminator = Player(discriminators, *common)
        self.best = [{} for _ in self.seeds]
        self.recorded: Replay | None = None

    def _order(self, epoch: int) -> Int64[Tensor, "s images"]:
        """The order in which each seed sees the training images in an epoch, from 0."""
        orders = []
        for seed in self.seeds:
            stream = seeding.generator(seed, "data_order", epoch + 1)
            orders.append(torch.randperm(len(self.train), generator=stream))
        return torch.stack(orders)

    def update(self, index: Int64[Tensor, "s n"], noise: Tensor | None = None) -> engine.Outcome:
        """Makes the next update of the current epoch.

        Args:
            index: which training images each seed's minibatch has.
            noise: z of as many fakes; drawn if absent.
        """
        counters, settings = self.counters, self.settings
        images = index.to(self.train.raw.device)
        real = self.train.rows(images.flatten()).unflatten(0, images.shape)
        offset = counters.updates * engine.masks_per_update(self.discriminator.networks[0])
        masks = engine.Masks(self.mask_seeds, torch.tensor(offset, device=self.device))
        rates = Rates(
            schedules.learning_rate(settings, counters.phase_updates, self.batches),
            schedules.momentum(settings, counters.phase_epoch + 1),
        )
        common = self.generator, self.discriminator, real
        counters.batch += 1
        if self.fused:
            last = counters.batch == self.batches
            if noise is None:
                noise = self._draw_noise(real.shape[1])
            outcome = engine.update(*common, noise, masks, settings.objective, rates, last)
        else:
            turn = (counters.phase_updates + 1) % settings.discriminator_steps == 0
            outcome = naive.update(
                *common,
                lambda: self._draw_noise(real.shape[1]),
                masks,
                settings.objective,
                rates,
                settings.update,
                generator_turn=turn,
            )
        counters.phase_updates += 1
        counters.updates += 1
        self.add(outcome)
        return outcome

    def _draw_noise(self, count: int) -> Float[Tensor, "s n z"]:
        noise = [draw_noise(self.experiment, count, stream) for stream in self.noise]
        return torch.stack(noise).to(self.device)

    def add(self, outcome: engine.Outcome) -> None:
        seen = (
            outcome.discriminator_loss,
            outcome.generator_loss,
            outcome.real_logits.sigmoid().mean(-1),
            outcome.fake_logits.sigmoid().mean(-1),
        )
        self.sums += torch.stack(seen, -1)

    def _end_epoch(self, outcome: engine.Outcome) -> dict[int, Row]:
        counters = self.counters
        counters.epoch += 1
        counters.phase_epoch += 1
        last_of_phase = counters.phase_epoch == self.settings.phases[counters.phase].epochs
        evaluation = self.experiment.evaluation
        monitored = (
            last_of_phase
            or counters.epoch % evaluation.monitor_every == 0
            or counters.epoch in evaluation.report_epochs
        )
        new_rows, finite = (
            epoch_rows(self, outcome),
            finite_weights([self.generator.values, self.discriminator.values]),
        )
        rows = {}
        for s in self.alive:
            row = new_rows[s]
            if monitored:
                monitor(self, s, row)
            self.progress[s].failure = failure(row, finite[s])
            if self.progress[s].failure is None:
                self.progress[s].history.append(row)
                rows[s] = row
        counters.batch = 0
        self.sums.zero_()
        if last_of_phase:
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


def _require_device(precision: Precision, device: torch.device) -> None:
    """Refuses what the device cannot compute, and lets a GPU round as it was told.

    Raises:
        ConfigError: tf32 without a GPU, or bfloat16 on a CPU without a C++ compiler.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    elif precision == "tf32":
        raise ConfigError(
            "training: precision: got tf32, which only a GPU computes; use float32 or bfloat16"
        )
    elif precision == "bfloat16" and not can_compile():
        raise ConfigError(
            "training: precision: got bfloat16, whose update torch.compile builds on a CPU with "
            "g++ and Python's headers, which are not installed; install both or use float32"
        )
