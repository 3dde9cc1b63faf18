"""One update of Algorithm 1: k discriminator steps, each on its own fakes, then the generator's."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

import ganbench_kernels
from ganbench.config import Objective
from ganbench.models import Discriminator, Generator
from ganbench.training.fused.engine import Masks, Outcome
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player


def masks_per_update(discriminator: Discriminator) -> int:
    """Returns how many mask numbers an update may use: real, fake, and fake again."""
    return 3 * len(discriminator.layers)


def update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "s n d"],
    draw_noise: Callable[[], Float[Tensor, "s n z"]],
    masks: Masks,
    objective: Objective,
    rates: Rates,
    generator_turn: bool,
) -> Outcome:
    """One discriminator step, then, on its turn, a generator step on fresh noise.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        real: a minibatch of training images for each seed.
        draw_noise: gives fresh noise for as many fakes.
        masks: dropout of D.
        objective: see `ganbench_kernels.adversarial_loss`.
        rates: of both players.
        generator_turn: whether this is the last of k discriminator steps.

    Source: Algorithm 1.
    """
    noise = draw_noise()
    later = draw_noise() if generator_turn else None
    outcomes = [
        _update_one(
            s, generator, discriminator, real[s], noise[s], None if later is None else later[s],
            Masks(masks.seed[s], masks.offset), objective, rates,
        )
        for s in range(len(real))
    ]  # fmt: skip
    return Outcome(*map(torch.stack, zip(*outcomes, strict=True)))


def _update_one(
    s: int,
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Tensor,
    noise: Tensor,
    later_noise: Tensor | None,
    masks: Masks,
    objective: Objective,
    rates: Rates,
) -> tuple[Tensor, ...]:
    """The fields of `Outcome`; the generator's norm is left out if it does not move."""
    g_network, d_network = generator.networks[s], discriminator.networks[s]
    layers = len(d_network.layers)
    with torch.no_grad():
        fake = g_network(noise)
    real_logits = d_network(real, *masks)
    fake_logits = d_network(fake, masks.seed, masks.offset + layers)
    loss, generator_loss = ganbench_kernels.adversarial_loss(real_logits, fake_logits, objective)
    norms = [_descend(discriminator, s, loss, rates)]
    if later_noise is not None:
        judged = d_network(g_network(later_noise), masks.seed, masks.offset + 2 * layers)
        generator_loss = ganbench_kernels.adversarial_loss(real_logits.detach(), judged, objective)[
            1
        ]
        norms.append(_descend(generator, s, generator_loss, rates))
    seen = loss, generator_loss, real_logits, fake_logits
    return *(tensor.detach() for tensor in seen), *norms


def _descend(player: Player, s: int, loss: Tensor, rates: Rates) -> Tensor:
    """Moves one seed's network by autograd; returns the norm of its gradient."""
    gradients = torch.autograd.grad(loss, list(player.networks[s].parameters()))
    ganbench_kernels.sgd_momentum_max_norm_(
        [value[s] for value in player.values],
        [velocity[s] for velocity in player.velocities],
        gradients,
        *rates,
        player.bounds,
    )
    return torch.stack([gradient.double().norm() for gradient in gradients]).norm()
