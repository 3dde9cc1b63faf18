"""The training of one seed: epochs, phases, monitoring, and a state that can be put down anywhere.

Everything random is keyed by the seed, a name and a counter, so that an interrupted run that goes
on equals an uninterrupted one bit for bit, and looking at a run never changes it.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import seeding
from ganbench.config import Experiment, Phase
from ganbench.data.rows import Images
from ganbench.errors import DivergenceError
from ganbench.evaluation import parzen
from ganbench.training import networks, schedules, step

# What is summed over an epoch's updates, in this order.
SUMS = ("discriminator_loss", "generator_loss", "d_real", "d_fake")
SAMPLE_BATCH = 1000


@dataclass
class Counters:
    """Where a run stands; with the tensors, all that a checkpoint needs."""

    phase: int = 0
    epoch: int = 0
    phase_epoch: int = 0
    batch: int = 0
    phase_updates: int = 0
    updates: int = 0
    best_epoch: int = 0
    best_log_likelihood: float | None = None
    seconds: float = 0.0
    history: list[dict[str, float | None]] = field(default_factory=list)


class Run:
    """One seed of one experiment.

    Args:
        experiment: the settings.
        seed: keys every random stream.
        train: the training images.
        validation: rows on which the likelihood is monitored.
        folds: number of folds of the data set, for the protocol.
        device: where the networks live.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        train: Images,
        validation: Float[Tensor, "m d"],
        folds: int,
        device: str = "cpu",
    ) -> None:
        self.experiment, self.settings, self.seed = experiment, experiment.training, seed
        self.train, self.device = train, torch.device(device)
        self.protocol = parzen.PROTOCOLS[experiment.evaluation.protocol]
        self.validation = self.protocol.validation_images(validation, folds)
        self.mask_seed = torch.tensor(seeding.stream_seed(seed, "dropout"), device=self.device)
        self.counters = Counters()
        self.sums = torch.zeros(len(SUMS), dtype=torch.float64, device=self.device)
        self.noise = seeding.generator(seed, "noise", 0)
        self.best: dict[str, Tensor] = {}
        self._start_phase(0)

    @property
    def finished(self) -> bool:
        """Whether every epoch of every phase is done."""
        return self.counters.phase == len(self.settings.phases)

    @property
    def batches(self) -> int:
        """Minibatches in an epoch; an incomplete last one counts."""
        return math.ceil(len(self.train) / self.settings.batch_size)

    def run_epoch(self, after_update: Callable[[], None]) -> dict[str, float | None]:
        """Trains to the end of the current epoch and returns its row of the history.

        Args:
            after_update: called after every update but the epoch's last; may save the state, or
                raise to stop the run.

        Raises:
            DivergenceError: a loss, a weight or the validation likelihood is not finite.
        """
        counters = self.counters
        if counters.batch == 0:
            self.noise = seeding.generator(self.seed, "noise", counters.epoch + 1)
        stream = seeding.generator(self.seed, "data_order", counters.epoch + 1)
        order = torch.randperm(len(self.train), generator=stream).split(self.settings.batch_size)
        outcome = None
        while counters.batch < self.batches:
            outcome = self._update(order[counters.batch])
            if counters.batch < self.batches:
                after_update()
        assert outcome is not None
        return self._end_epoch(outcome)

    def sample(self, count: int, stream: torch.Generator) -> Float[Tensor, "n d"]:
        """Returns samples of the generator as it is now."""
        return draw_samples(self.generator.network, self.experiment, count, stream, self.device)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Returns the tensors and the counters that `restore` takes."""
        tensors = {"sums": self.sums, "noise": self.noise.get_state()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for title, player in self._players():
            names = [name for name, _ in player.network.named_parameters()]
            for name, parameter, velocity in zip(
                names, player.parameters, player.velocity, strict=True
            ):
                tensors[f"{title}.{name}"] = parameter.detach()
                tensors[f"{title}.velocity.{name}"] = velocity
        return tensors, asdict(self.counters)

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """Goes back to a state that `state` returned."""
        self.counters = Counters(**counters)
        for phase in range(1, min(self.counters.phase, len(self.settings.phases) - 1) + 1):
            self._start_phase(phase)
        self.sums = tensors["sums"].to(self.device)
        self.noise.set_state(tensors["noise"])
        self.best = {
            name.removeprefix("best."): value.to(self.device)
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        with torch.no_grad():
            for title, player in self._players():
                for index, (name, parameter) in enumerate(player.network.named_parameters()):
                    parameter.copy_(tensors[f"{title}.{name}"])
                    player.velocity[index].copy_(tensors[f"{title}.velocity.{name}"])

    def _players(self) -> tuple[tuple[str, step.Player], ...]:
        return ("generator", self.generator), ("discriminator", self.discriminator)

    def _start_phase(self, number: int) -> None:
        """A fresh discriminator and fresh momentum; the generator is new or gets a new front."""
        phase: Phase = self.settings.phases[number]
        stream = seeding.generator(self.seed, "init", number)
        if number == 0:
            means = self.train.pixel_means().cpu()
            generator = networks.build_generator(
                self.experiment.generator, self.train.shape, means, stream
            )
        else:
            generator = networks.put_in_front(
                self.generator.network.cpu(),
                phase.generator_front,
                self.experiment.generator.noise_dim,
                stream,
            )
        discriminator = networks.build_discriminator(
            self.experiment.discriminator, self.train.shape, stream
        )
        bound = self.settings.max_column_norm
        self.generator = step.Player(generator.to(self.device), bound)
        self.discriminator = step.Player(discriminator.to(self.device), bound)
        self.best = {}

    def _update(self, index: Tensor) -> step.Outcome:
        counters, settings = self.counters, self.settings
        real = self.train.rows(index.to(self.train.raw.device))
        layers = step.masks_per_update(self.discriminator.network)
        offset = torch.tensor(counters.updates * layers, device=self.device)
        rates = step.Rates(
            schedules.learning_rate(settings, counters.phase_updates),
            schedules.momentum(settings, counters.phase_epoch + 1),
        )
        common = (
            self.generator,
            self.discriminator,
            real,
            lambda: self._draw_noise(len(real)),
            step.Masks(self.mask_seed, offset),
            settings.objective,
            rates,
        )
        counters.batch += 1
        if settings.update == "simultaneous":
            outcome = step.simultaneous_update(*common)
        else:
            turn = (counters.phase_updates + 1) % settings.discriminator_steps == 0
            outcome = step.alternating_update(*common, generator_turn=turn)
        counters.phase_updates += 1
        counters.updates += 1
        self._add(outcome)
        return outcome

    def _draw_noise(self, count: int) -> Float[Tensor, "n z"]:
        return draw_noise(self.experiment, count, self.noise).to(self.device)

    def _add(self, outcome: step.Outcome) -> None:
        seen = (
            outcome.discriminator_loss,
            outcome.generator_loss,
            outcome.real_logits.sigmoid().mean(),
            outcome.fake_logits.sigmoid().mean(),
        )
        self.sums += torch.stack([value.double() for value in seen])

    def _end_epoch(self, outcome: step.Outcome) -> dict[str, float | None]:
        counters = self.counters
        counters.epoch += 1
        counters.phase_epoch += 1
        row: dict[str, float | None] = {
            "epoch": counters.epoch,
            "phase": counters.phase + 1,
            "updates": counters.updates,
            "learning_rate": schedules.learning_rate(self.settings, counters.phase_updates - 1),
            "momentum": schedules.momentum(self.settings, counters.phase_epoch),
            **dict(zip(SUMS, (self.sums / self.batches).tolist(), strict=True)),
            "discriminator_gradient_norm": _norm(outcome.discriminator_gradients),
            "generator_gradient_norm": _norm(outcome.generator_gradients),
            "validation_log_likelihood": None,
            "sigma": None,
        }
        last_of_phase = counters.phase_epoch == self.settings.phases[counters.phase].epochs
        if last_of_phase or counters.epoch % self.experiment.evaluation.monitor_every == 0:
            self._monitor(row)
        self._check(row)
        counters.history.append(row)
        counters.batch = 0
        self.sums.zero_()
        if last_of_phase:
            self._next_phase()
        return row

    def _check(self, row: dict[str, float | None]) -> None:
        weights = [value for _, player in self._players() for value in player.parameters]
        checked = (*SUMS, "validation_log_likelihood")
        broken = [name for name in checked if not math.isfinite(row[name] or 0.0)]
        if not all(bool(value.isfinite().all()) for value in weights):
            broken.append("weights")
        if broken:
            raise DivergenceError(
                f"epoch {row['epoch']}: {', '.join(broken)} not finite; "
                "lower training: learning_rate, or run another seed"
            )

    def _monitor(self, row: dict[str, float | None]) -> None:
        """Validation likelihood by the protocol (D9), from a stream that training never reads."""
        stream = seeding.generator(self.seed, "monitoring", self.counters.epoch)
        samples = self.sample(self.protocol.samples, stream)
        found = parzen.choose_bandwidth(self.validation, samples, self.protocol.sigmas)
        best = max(found.log_likelihoods)
        row |= {"validation_log_likelihood": best, "sigma": found.sigma}
        record = self.counters.best_log_likelihood
        if record is None or best > record:
            self.counters.best_log_likelihood = best
            self.counters.best_epoch = self.counters.epoch
            self.best = {
                name: value.detach().clone()
                for name, value in self.generator.network.named_parameters()
            }

    def _next_phase(self) -> None:
        """The best state of an earlier phase has other layers and is dropped with it."""
        counters = self.counters
        counters.phase += 1
        counters.phase_epoch = counters.phase_updates = 0
        if not self.finished:
            counters.best_log_likelihood = None
            self._start_phase(counters.phase)


def draw_noise(experiment: Experiment, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
    """Returns noise of mean 0 and variance 1 in every dimension, on the CPU."""
    size = (count, experiment.generator.noise_dim)
    if experiment.generator.noise == "normal":
        return torch.randn(size, generator=stream)
    bound = math.sqrt(3)
    return torch.empty(size).uniform_(-bound, bound, generator=stream)


@torch.no_grad()
def draw_samples(
    generator: torch.nn.Module,
    experiment: Experiment,
    count: int,
    stream: torch.Generator,
    device: torch.device,
) -> Float[Tensor, "n d"]:
    """Returns `count` samples; one draw of noise, so that batches do not change them."""
    noise = draw_noise(experiment, count, stream)
    return torch.cat([generator(part.to(device)) for part in noise.split(SAMPLE_BATCH)])


def _norm(gradients: list[Tensor]) -> float | None:
    """The L2 norm of all gradients together; none where the player did not move."""
    if not gradients:
        return None
    return torch.stack([gradient.double().norm() for gradient in gradients]).norm().item()
