"""Trains generators and discriminators of one experiment side by side, as the paper does."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganbench import seeding
from ganbench.config import Adversarial, Phase, Precision
from ganbench.data.rows import Images
from ganbench.errors import ConfigError
from ganbench.training import naive, networks, schedules, states
from ganbench.training.base import BaseRun
from ganbench.training.fused import engine, graph_epoch
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench.training.fused.replay import Replay
from ganbench.training.history import SUMS, Row, finite_weights
from ganbench.training.monitoring import epoch_rows
from ganbench.training.sampling import draw_noise, draw_samples
from ganbench_kernels.dispatch import can_compile


class Run(BaseRun):
    """Seeds of one adversarial experiment that move in step; the arguments are those of its base.

    Raises:
        ConfigError: the device cannot compute in the precision asked for.
    """

    losses = SUMS
    experiment: Adversarial

    def __init__(
        self,
        experiment: Adversarial,
        seeds: Sequence[int],
        train: Images,
        validation: Float[Tensor, "m d"],
        folds: int,
        device: str = "cpu",
    ) -> None:
        _require_device(experiment.training.precision, torch.device(device))
        super().__init__(experiment, seeds, train, validation, folds, device)
        self.settings = experiment.training
        keys = [seeding.stream_seed(seed, "dropout") for seed in seeds]
        self.mask_seeds = torch.tensor(keys, device=self.device)
        self.outcome: engine.Outcome | None = None
        self.start_phase(0)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Real images, and as many fakes, per update."""
        return (self.settings.batch_size,) * len(self.settings.phases)

    @property
    def replays(self) -> bool:
        """Whether a GPU makes an epoch's updates by itself; only whole epochs can be saved then."""
        return self.fused and self.device.type == "cuda" and self.batches > 1

    @property
    def fused(self) -> bool:
        """Whether the fused engine updates the players; else `naive` does."""
        return self.settings.engine == "fused" and self.settings.update == "simultaneous"

    def before_epoch(self, order: Int64[Tensor, "s images"]) -> None:
        """Makes all updates of an epoch but the last by replaying a graph, where a GPU can."""
        if self.replays and self.counters.batch == 0:
            self.outcome = graph_epoch.replay_epoch(self, order)

    def weights(self, s: int) -> dict[str, Tensor]:
        """Returns the generator's weights at place `s`."""
        return dict(self.generator.networks[s].named_parameters())

    def epoch_rows(self) -> list[Row]:
        """Returns each seed's row of this epoch, likelihood left out."""
        outcome, self.outcome = self.outcome, None
        assert outcome is not None, "an epoch has a last update"
        return epoch_rows(self, outcome)

    def finite(self) -> list[bool]:
        """Returns for each seed whether both players' weights are finite."""
        return finite_weights([self.generator.values, self.discriminator.values])

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
        if counters.batch == self.batches:
            # The epoch's row shows its gradient norms.
            self.outcome = outcome
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
