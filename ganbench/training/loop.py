"""Trains seeds of one experiment side by side: epochs, phases and monitoring.

A run can be checkpointed after any update on a CPU and after any epoch on a GPU.

Everything random is keyed by a seed, a name and a counter, so that an interrupted run that goes on
equals an uninterrupted one bit for bit, looking at a run never changes it, and a seed's streams do
not depend on which others share its process.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganbench import seeding
from ganbench.config import Experiment, Phase, Precision
from ganbench.data.rows import Images
from ganbench.errors import ConfigError
from ganbench.evaluation import diversity, parzen
from ganbench.training import naive, networks, schedules
from ganbench.training.fused import engine
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench.training.fused.replay import GraphInputs, Replay
from ganbench.training.history import SUMS, Counters, Row, SeedProgress, failure, finite_weights
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
        keys = [seeding.stream_seed(seed, "dropout") for seed in seeds]
        self.mask_seeds = torch.tensor(keys, device=self.device)
        self.counters = Counters()
        self.progress = [SeedProgress() for _ in seeds]
        self.sums = torch.zeros(len(seeds), len(SUMS), dtype=torch.float64, device=self.device)
        self.noise = [seeding.generator(seed, "noise", 0) for seed in seeds]
        self.best: list[dict[str, Tensor]] = [{} for _ in seeds]
        self._start_phase(0)

    @property
    def finished(self) -> bool:
        """Whether every epoch of every phase is done, or no seed is left that has not diverged."""
        return self.counters.phase == len(self.settings.phases) or not self.alive

    @property
    def alive(self) -> list[int]:
        """Places of the seeds that have not diverged."""
        return [s for s, course in enumerate(self.progress) if course.failure is None]

    @property
    def replays(self) -> bool:
        """Whether epochs run without the CPU, as they do on a GPU; the state is then put down
        between epochs only."""
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
        if counters.batch == 0:
            self.noise = [
                seeding.generator(seed, "noise", counters.epoch + 1) for seed in self.seeds
            ]
        order = self._order(counters.epoch)
        outcome = None
        if self.replays and counters.batch == 0:
            outcome = self._replay(order)
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
        tensors = {"sums": self.sums[s], "noise": self.noise[s].get_state()}
        tensors |= {f"best.{name}": value for name, value in self.best[s].items()}
        for title, player in self._players():
            names = [name for name, _ in player.networks[s].named_parameters()]
            for name, value, velocity in zip(names, player.values, player.velocities, strict=True):
                tensors[f"{title}.{name}"] = value[s]
                tensors[f"{title}.velocity.{name}"] = velocity[s]
        return tensors, {
            "counters": asdict(self.counters),
            "course": asdict(self.progress[s]),
        }

    def restore(self, states: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Goes back to states that `state` returned after the same update, one for each seed."""
        self.counters = Counters(**states[0][1]["counters"])
        for phase in range(1, min(self.counters.phase, len(self.settings.phases) - 1) + 1):
            self._start_phase(phase)
        for s, (tensors, counters) in enumerate(states):
            self.progress[s] = SeedProgress(**counters["course"])
            self._restore(s, tensors)
        for _, player in self._players():
            player.refresh()

    def _restore(self, s: int, tensors: dict[str, Tensor]) -> None:
        self.sums[s] = tensors["sums"]
        self.noise[s].set_state(tensors["noise"])
        self.best[s] = {
            name.removeprefix("best."): value.to(self.device)
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        for title, player in self._players():
            names = [name for name, _ in player.networks[s].named_parameters()]
            for name, value, velocity in zip(names, player.values, player.velocities, strict=True):
                value[s].copy_(tensors[f"{title}.{name}"])
                velocity[s].copy_(tensors[f"{title}.velocity.{name}"])

    def _players(self) -> tuple[tuple[str, Player], ...]:
        return ("generator", self.generator), ("discriminator", self.discriminator)

    def _start_phase(self, number: int) -> None:
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

    def _replay(self, order: Int64[Tensor, "s images"]) -> engine.Outcome:
        """Makes an epoch's updates on the device.

        The last update may be shorter: it runs by itself and reports gradient norms.
        """
        counters, count = self.counters, self.batches - 1
        done = count * self.settings.batch_size
        inputs = self._graph_inputs(order[:, :done].unflatten(1, (count, -1)))
        if self.recorded is None:
            self.recorded = Replay(
                self.generator, self.discriminator, self.train, self.mask_seeds, self.settings,
                self.sums, self._add, inputs,
            )  # fmt: skip
        self.recorded.start_epoch(inputs)
        self.recorded.run(count)
        counters.batch += count
        counters.phase_updates += count
        counters.updates += count
        last = order[:, done:]
        return self.update(last, inputs.noise[:, -1, : last.shape[1]])

    def _graph_inputs(self, order: Int64[Tensor, "s batches n"]) -> GraphInputs:
        """What an epoch's updates read, noise drawn on the device included."""
        counters, settings, device = self.counters, self.settings, self.device
        size = self.batches * settings.batch_size
        noise = []
        for seed in self.seeds:
            key = seeding.stream_seed(seed, "noise", counters.epoch + 1)
            stream = torch.Generator(device).manual_seed(key)
            noise.append(draw_noise(self.experiment, size, stream))
        offset = counters.updates * engine.masks_per_update(self.discriminator.networks[0])
        rate = schedules.learning_rate(settings, counters.phase_updates)
        momentum = schedules.momentum(settings, counters.phase_epoch + 1)
        return GraphInputs(
            order.to(device),
            torch.stack(noise).unflatten(1, (self.batches, -1)),
            torch.zeros(1, dtype=torch.int64, device=device),
            torch.tensor(offset, device=device),
            torch.tensor(rate, dtype=torch.float64, device=device),
            torch.tensor(momentum, device=device),
        )

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
            schedules.learning_rate(settings, counters.phase_updates),
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
        self._add(outcome)
        return outcome

    def _draw_noise(self, count: int) -> Float[Tensor, "s n z"]:
        noise = [draw_noise(self.experiment, count, stream) for stream in self.noise]
        return torch.stack(noise).to(self.device)

    def _add(self, outcome: engine.Outcome) -> None:
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
            self._rows(outcome),
            finite_weights([p.values for _, p in self._players()]),
        )
        rows = {}
        for s in self.alive:
            row = new_rows[s]
            if monitored:
                self._monitor(s, row)
            self.progress[s].failure = failure(row, finite[s])
            if self.progress[s].failure is None:
                self.progress[s].history.append(row)
                rows[s] = row
        counters.batch = 0
        self.sums.zero_()
        if last_of_phase:
            self._next_phase()
        return rows

    def _rows(self, outcome: engine.Outcome) -> list[Row]:
        """Each seed's row of this epoch, likelihood left out."""
        counters = self.counters
        shared: Row = {
            "epoch": counters.epoch,
            "phase": counters.phase + 1,
            "updates": counters.updates,
            "learning_rate": schedules.learning_rate(self.settings, counters.phase_updates - 1),
            "momentum": schedules.momentum(self.settings, counters.phase_epoch),
        }
        means = (self.sums / self.batches).tolist()
        d_norms, g_norms = (
            [None] * len(means) if norms is None else norms.tolist()
            for norms in (outcome.discriminator_norm, outcome.generator_norm)
        )
        return [
            {
                **shared,
                **dict(zip(SUMS, mean, strict=True)),
                "discriminator_gradient_norm": d_norm,
                "generator_gradient_norm": g_norm,
                "validation_log_likelihood": None,
                "sigma": None,
                "collapse_share": None,
            }
            for mean, d_norm, g_norm in zip(means, d_norms, g_norms, strict=True)
        ]

    def _monitor(self, s: int, row: Row) -> None:
        """Likelihood (D9) and collapse, from a stream that training never reads."""
        stream = seeding.generator(self.seeds[s], "monitoring", self.counters.epoch)
        samples = self.sample(self.protocol.samples, stream, s)
        found = parzen.choose_bandwidth(self.validation, samples, self.protocol.sigmas)
        best = max(found.log_likelihoods)
        share = diversity.collapse_share(samples, self.validation)
        row |= {"validation_log_likelihood": best, "sigma": found.sigma, "collapse_share": share}
        course = self.progress[s]
        if course.best_log_likelihood is None or best > course.best_log_likelihood:
            course.best_log_likelihood, course.best_epoch = best, self.counters.epoch
            self.best[s] = {
                name: value.detach().clone()
                for name, value in self.generator.networks[s].named_parameters()
            }

    def _next_phase(self) -> None:
        """The best state of an earlier phase has other layers and is dropped with it."""
        counters = self.counters
        counters.phase += 1
        counters.phase_epoch = counters.phase_updates = 0
        if not self.finished:
            for course in self.progress:
                course.best_log_likelihood = None
            self._start_phase(counters.phase)


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
