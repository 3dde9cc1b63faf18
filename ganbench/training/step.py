"""One update of both players: the simultaneous one of the released code, and Algorithm 1's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import ganbench_kernels
from ganbench.config import Objective
from ganbench.models import Discriminator, Generator, Linear, Maxout

Network = TypeVar("Network", Generator, Discriminator)


@dataclass
class Player(Generic[Network]):
    """A network with its momentum."""

    network: Network
    max_column_norm: float | None
    velocity: list[Tensor] = field(init=False)
    bounds: list[float | None] = field(init=False)

    def __post_init__(self) -> None:
        """Starts at rest, within the bound on the column norms."""
        self.parameters = list(self.network.parameters())
        self.velocity = [torch.zeros_like(parameter) for parameter in self.parameters]
        dense = {
            id(module.weight)
            for module in self.network.modules()
            if isinstance(module, Linear | Maxout)
        }
        self.bounds = [
            self.max_column_norm if id(parameter) in dense else None
            for parameter in self.parameters
        ]
        self.descend(self.velocity, Rates(0.0, 0.0))

    def gradients(self, loss: Float[Tensor, ""], retain_graph: bool = False) -> list[Tensor]:
        """Returns the loss's gradient with respect to this player's parameters."""
        return list(torch.autograd.grad(loss, self.parameters, retain_graph=retain_graph))

    def descend(self, gradients: list[Tensor], rates: "Rates") -> None:
        """v <- m v - lr g; p <- p + v; then each unit's incoming weights are bounded."""
        ganbench_kernels.sgd_momentum_max_norm_(
            self.parameters,
            self.velocity,
            gradients,
            rates.learning_rate,
            rates.momentum,
            self.bounds,
        )


class Rates(NamedTuple):
    """Step sizes of one update."""

    learning_rate: float
    momentum: float


@dataclass(frozen=True)
class Masks:
    """The dropout masks of one update: `seed` keys the run, `offset` numbers the first one."""

    seed: Int64[Tensor, ""]
    offset: Int64[Tensor, ""]


@dataclass(frozen=True)
class Outcome:
    """What an update saw; gradients are those of the losses, before momentum."""

    discriminator_loss: Float[Tensor, ""]
    generator_loss: Float[Tensor, ""]
    real_logits: Float[Tensor, " n"]
    fake_logits: Float[Tensor, " n"]
    discriminator_gradients: list[Tensor]
    generator_gradients: list[Tensor]


def masks_per_update(discriminator: Discriminator) -> int:
    """Returns how many mask numbers an update may use: real, fake, and fake again."""
    return 3 * len(discriminator.layers)


def simultaneous_update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "n d"],
    draw_noise: Callable[[], Float[Tensor, "n z"]],
    masks: Masks,
    objective: Objective,
    rates: Rates,
) -> Outcome:
    """Moves both players by gradients at the same parameters, fake batch and masks.

    Args:
        generator: G and its momentum, updated in place.
        discriminator: D and its momentum, updated in place.
        real: a minibatch of training images.
        draw_noise: gives fresh noise for as many fakes.
        masks: dropout of D.
        objective: see `ganbench_kernels.adversarial_loss`.
        rates: learning rate and momentum of both players.

    Source: the released code of 2014. Differs from Algorithm 1: D1.
    """
    real_logits, fake_logits = _logits(
        discriminator.network, real, generator.network(draw_noise()), masks
    )
    losses = ganbench_kernels.adversarial_loss(real_logits, fake_logits, objective)
    outcome = Outcome(
        losses[0].detach(),
        losses[1].detach(),
        real_logits.detach(),
        fake_logits.detach(),
        discriminator.gradients(losses[0], retain_graph=True),
        generator.gradients(losses[1]),
    )
    discriminator.descend(outcome.discriminator_gradients, rates)
    generator.descend(outcome.generator_gradients, rates)
    return outcome


def alternating_update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "n d"],
    draw_noise: Callable[[], Float[Tensor, "n z"]],
    masks: Masks,
    objective: Objective,
    rates: Rates,
    generator_turn: bool,
) -> Outcome:
    """One discriminator step, then, on its turn, a generator step on fresh noise.

    Args:
        generator_turn: whether this is the last of k discriminator steps; the other arguments are
            as in `simultaneous_update`.

    Source: Algorithm 1.
    """
    with torch.no_grad():
        fake = generator.network(draw_noise())
    real_logits, fake_logits = _logits(discriminator.network, real, fake, masks)
    loss, generator_loss = ganbench_kernels.adversarial_loss(real_logits, fake_logits, objective)
    gradients = discriminator.gradients(loss)
    discriminator.descend(gradients, rates)
    generator_gradients: list[Tensor] = []
    if generator_turn:
        offset = masks.offset + 2 * len(discriminator.network.layers)
        judged = discriminator.network(generator.network(draw_noise()), masks.seed, offset)
        real_seen = real_logits.detach()
        generator_loss = ganbench_kernels.adversarial_loss(real_seen, judged, objective)[1]
        generator_gradients = generator.gradients(generator_loss)
        generator.descend(generator_gradients, rates)
    return Outcome(
        loss.detach(),
        generator_loss.detach(),
        real_logits.detach(),
        fake_logits.detach(),
        gradients,
        generator_gradients,
    )


def _logits(
    discriminator: Discriminator, real: Tensor, fake: Tensor, masks: Masks
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Real and fake images draw masks of their own."""
    fake_offset = masks.offset + len(discriminator.layers)
    return (
        discriminator(real, masks.seed, masks.offset),
        discriminator(fake, masks.seed, fake_offset),
    )
