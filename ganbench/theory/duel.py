"""Generators and discriminators of many runs, trained side by side on a leading dimension."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Objective
from ganbench.seeding import Stream, generator
from ganbench.theory.networks import Adam, Perceptron
from ganbench_kernels import adversarial_loss

GENERATOR, DISCRIMINATOR = 0, 1  # their numbers among the initialisation streams
CHUNK = 100  # minibatches drawn at once
Sampler = Callable[[int, torch.Generator], Tensor]
Update = Literal["simultaneous", "alternating"]


@dataclass(frozen=True)
class Contestant:
    """One run: what tells it from those beside it."""

    objective: Objective
    seed: int
    learning_rate: float


class Draws:
    """Minibatches of one stream, the same for all runs of a seed."""

    def __init__(
        self, seeds: Sequence[int], stream: Stream, sampler: Sampler, batch: int, device: str
    ) -> None:
        """Opens the stream of each seed; `sampler` draws points in the order asked for."""
        self._unique = sorted(set(seeds))
        self._rows = torch.tensor([self._unique.index(seed) for seed in seeds], device=device)
        self._rngs = [generator(seed, stream) for seed in self._unique]
        self._sampler, self._batch, self._device = sampler, batch, device
        self._left: list[Tensor] = []

    def next(self) -> Float[Tensor, "runs batch d"]:
        """Returns the next minibatch of every run."""
        if not self._left:
            drawn = [self._sampler(CHUNK * self._batch, rng) for rng in self._rngs]
            blocks = torch.stack(drawn).unflatten(1, (CHUNK, self._batch)).to(self._device)
            self._left = list(blocks.unbind(1))[::-1]
        return self._left.pop()[self._rows]


class Duel:
    """Both players of every run, and their optimisers."""

    def __init__(
        self,
        contestants: Sequence[Contestant],
        networks: tuple[Perceptron, Perceptron],
        draws: tuple[Draws, Draws],
        betas: tuple[float, float],
        device: str,
        weight_clip: float = 0.01,
        dropout: Draws | None = None,
    ) -> None:
        """Draws the initial weights.

        Args:
            contestants: the runs; those of one objective stand together.
            networks: of generator and discriminator.
            draws: of real points and of noise.
            betas: of Adam.
            device: "cpu" or "cuda".
            weight_clip: bound on every weight of a Wasserstein critic after each update.
            dropout: of masks over all hidden units of D, one a point; D has none if absent.
        """
        seeds = [run.seed for run in contestants]
        self.G, self.D = networks
        self.real, self.noise = draws
        self._dropout = dropout
        self.g = self.G.initial(seeds, GENERATOR).to(device)
        self.d = self.D.initial(seeds, DISCRIMINATOR).to(device)
        self._groups = _objective_slices(contestants)
        self._clip = weight_clip
        self._first_rate = torch.tensor([[run.learning_rate] for run in contestants]).to(device)
        self.scale_learning_rate(1.0)
        self._optimizers = Adam(self.g, *betas), Adam(self.d, *betas)
        self._clip_weights()

    def generate(self, noise: Float[Tensor, "runs n z"]) -> Float[Tensor, "runs n d"]:
        """Returns G(z) of every run."""
        return self.G(self.g, noise)

    def judge(
        self, points: Float[Tensor, "runs n d"], masks: Sequence[Tensor] = ()
    ) -> Float[Tensor, "runs n"]:
        """Returns the logits of D (a critic's values under `wasserstein`)."""
        return self.D(self.d, points, masks)[..., 0]

    def simultaneous_step(self) -> None:
        """Updates both players from one batch and the same parameters (the released code)."""
        self.g.requires_grad_()
        self.d.requires_grad_()
        real = self.judge(self.real.next(), self._masks())
        fake = self.judge(self.generate(self.noise.next()), self._masks())
        losses = self._losses(real, fake)
        (d_gradient,) = torch.autograd.grad(losses[0].sum(), self.d, retain_graph=True)
        (g_gradient,) = torch.autograd.grad(losses[1].sum(), self.g)
        self._update_discriminator(d_gradient)
        self._update_generator(g_gradient)

    def discriminator_step(self) -> None:
        """Updates D alone, on fresh data and noise (the inner loop of Algorithm 1)."""
        with torch.no_grad():
            points = self.generate(self.noise.next())
        self.d.requires_grad_()
        real = self.judge(self.real.next(), self._masks())
        loss, _ = self._losses(real, self.judge(points, self._masks()))
        (gradient,) = torch.autograd.grad(loss.sum(), self.d)
        self._update_discriminator(gradient)

    def generator_step(self) -> None:
        """Updates G alone, on fresh noise (the outer loop of Algorithm 1)."""
        self._update_generator(self.generator_gradient(self.noise.next(), self._masks()))

    def generator_gradient(
        self, noise: Float[Tensor, "runs n z"], masks: Sequence[Tensor] = ()
    ) -> Float[Tensor, "runs size"]:
        """Returns the gradient of the generator's loss in its parameters."""
        self.g.requires_grad_()
        fake = self.judge(self.generate(noise), masks)
        _, loss = self._losses(torch.zeros_like(fake), fake)
        (gradient,) = torch.autograd.grad(loss.sum(), self.g)
        self.g.requires_grad_(False)
        return gradient

    def train(self, update: Update, k: int, steps: int) -> None:
        """Makes `steps` discriminator updates, and one of the generator every `k`."""
        for step in range(1, steps + 1):
            if update == "simultaneous":
                self.simultaneous_step()
            else:
                self.discriminator_step()
                if step % k == 0:
                    self.generator_step()

    def scale_learning_rate(self, fraction: float) -> None:
        """Sets every learning rate to a fraction of its first value."""
        self._rate = fraction * self._first_rate

    def _masks(self) -> Sequence[Tensor]:
        """Fresh dropout masks of D's hidden layers; none without dropout."""
        return self._dropout.next().split(self.D.units[1:-1], dim=2) if self._dropout else ()

    def _losses(
        self, real: Float[Tensor, "runs n"], fake: Float[Tensor, "runs n"]
    ) -> tuple[Float[Tensor, "runs"], Float[Tensor, "runs"]]:
        parts = [adversarial_loss(real[s], fake[s], objective) for objective, s in self._groups]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def _update_discriminator(self, gradient: Float[Tensor, "runs size"]) -> None:
        self.d.requires_grad_(False)
        self._optimizers[1].step(gradient, self._rate)
        self._clip_weights()

    def _update_generator(self, gradient: Float[Tensor, "runs size"]) -> None:
        self.g.requires_grad_(False)
        self._optimizers[0].step(gradient, self._rate)

    def _clip_weights(self) -> None:
        for objective, rows in self._groups:
            if objective == "wasserstein":
                self.d[rows].clamp_(-self._clip, self._clip)


def _objective_slices(contestants: Sequence[Contestant]) -> list[tuple[Objective, slice]]:
    slices, start = [], 0
    for objective, group in groupby(contestants, key=lambda run: run.objective):
        count = len(list(group))
        slices.append((objective, slice(start, start + count)))
        start += count
    return slices
