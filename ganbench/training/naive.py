"""Both update rules of the paper in plain autograd, for a reader: one seed, one step after another.

`engine: naive` trains with these functions. The fused engine computes the simultaneous rule's same
numbers in one backward pass for both players and all seeds; its tests compare it with this file.
Algorithm 1 has no faster engine and always runs here.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Objective
from ganbench.models import Discriminator, Generator
from ganbench.training.fused.engine import Masks, Outcome
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench_kernels.objectives import OBJECTIVES

Seen = tuple[Any, ...]  # of one seed, the fields of `Outcome` in order


def simultaneous(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    s: int,
    real: Float[Tensor, "n d"],
    noise: Float[Tensor, "n z"],
    masks: Masks,
    objective: Objective,
    rates: Rates,
) -> Seen:
    """Moves both players of seed `s` by gradients at the same parameters, fakes and masks.

    Source: the code released in 2014; DEVIATIONS.md D1 compares it with Algorithm 1.
    """
    # Real and generated images go through D as one batch: each layer draws one mask for all.
    fake = generator.networks[s](noise)
    logits = discriminator.networks[s](torch.cat([real, fake]), masks.seed[s], masks.offset)
    real_logits, fake_logits = logits[: len(real)], logits[len(real) :]
    d_loss, g_loss = losses(real_logits, fake_logits, objective)

    # Both gradients are taken before either player moves. The same graph serves both, because the
    # generator's loss needs its path through D too.
    d_gradients = gradients(d_loss, discriminator, s, keep_graph=True)
    g_gradients = gradients(g_loss, generator, s)
    descend(discriminator, s, d_gradients, rates)
    descend(generator, s, g_gradients, rates)
    return seen(d_loss, g_loss, real_logits, fake_logits, d_gradients, g_gradients)


def alternating(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    s: int,
    real: Float[Tensor, "n d"],
    noise: Float[Tensor, "n z"],
    generator_noise: Float[Tensor, "n z"] | None,
    masks: Masks,
    objective: Objective,
    rates: Rates,
) -> Seen:
    """Makes one discriminator step and, where it gets noise for it, the generator's step after it.

    Args:
        generator_noise: None in the first k - 1 of every k calls.

    Source: Algorithm 1.
    """
    # D learns from fakes that it cannot change. Reals and fakes are batches of their own, with
    # masks of their own: an update uses up three masks a layer.
    d, layers = discriminator.networks[s], len(discriminator.networks[s].layers)
    fake = generator.networks[s](noise).detach()
    real_logits = d(real, masks.seed[s], masks.offset)
    fake_logits = d(fake, masks.seed[s], masks.offset + layers)
    d_loss, g_loss = losses(real_logits, fake_logits, objective)
    d_gradients = gradients(d_loss, discriminator, s)
    descend(discriminator, s, d_gradients, rates)

    # After k such steps G moves once, on fresh noise, against the D that has just learned.
    g_gradients = None
    if generator_noise is not None:
        fresh = generator.networks[s](generator_noise)
        fresh_logits = d(fresh, masks.seed[s], masks.offset + 2 * layers)
        g_loss = losses(real_logits, fresh_logits, objective)[1]
        g_gradients = gradients(g_loss, generator, s)
        descend(generator, s, g_gradients, rates)
    return seen(d_loss, g_loss, real_logits, fake_logits, d_gradients, g_gradients)


def losses(
    real: Float[Tensor, " n"], fake: Float[Tensor, " n"], objective: Objective
) -> tuple[Tensor, Tensor]:
    """Returns the discriminator's and the generator's loss in nats, each to be minimised."""
    terms = OBJECTIVES[objective]
    real_losses, _ = terms.real(real)
    fake_losses, _ = terms.fake(fake)
    generated_losses, _ = terms.generated(fake)
    return real_losses.mean() + fake_losses.mean(), generated_losses.mean()


def gradients(loss: Tensor, player: Player, s: int, keep_graph: bool = False) -> list[Tensor]:
    """Returns the loss's gradient by each parameter of one player's network."""
    parameters = list(player.networks[s].parameters())
    return list(torch.autograd.grad(loss, parameters, retain_graph=keep_graph))


@torch.no_grad()
def descend(player: Player, s: int, gradient: list[Tensor], rates: Rates) -> None:
    """Moves one network by SGD with classical momentum, then bounds its units' incoming weights."""
    for number, parameter in enumerate(player.networks[s].parameters()):
        velocity, bound = player.velocities[number][s], player.bounds[number]
        velocity.mul_(rates.momentum).sub_(rates.learning_rate * gradient[number])
        parameter += velocity
        # Max-norm: a unit whose incoming weights have grown too long is scaled back, no more.
        if bound is not None:
            norm = parameter.norm(dim=-1, keepdim=True)
            parameter *= (bound / norm).clamp(max=1)


def seen(
    d_loss: Tensor,
    g_loss: Tensor,
    real_logits: Tensor,
    fake_logits: Tensor,
    d_gradients: list[Tensor],
    g_gradients: list[Tensor] | None,
) -> Seen:
    """Returns the fields of `Outcome` of one seed, with the norm of each player's gradient."""
    norms = [
        None if parts is None else torch.cat([part.flatten() for part in parts]).double().norm()
        for parts in (d_gradients, g_gradients)
    ]
    return *(tensor.detach() for tensor in (d_loss, g_loss, real_logits, fake_logits)), *norms


def update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "s n d"],
    draw_noise: Callable[[], Float[Tensor, "s n z"]],
    masks: Masks,
    objective: Objective,
    rates: Rates,
    rule: str,
    generator_turn: bool = True,
) -> Outcome:
    """Makes one update of every seed, by either rule.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        real: a minibatch of training images for each seed.
        draw_noise: gives z of as many fakes, other ones at each call.
        masks: dropout of D.
        objective: see `losses`.
        rates: of both players.
        rule: "simultaneous" or "alternating".
        generator_turn: of Algorithm 1: whether this is the last of k discriminator steps.
    """
    common = masks, objective, rates
    noise = draw_noise()
    if rule == "simultaneous":
        seeds = [
            simultaneous(generator, discriminator, s, real[s], noise[s], *common)
            for s in range(len(real))
        ]
    else:
        fresh = draw_noise() if generator_turn else [None] * len(real)
        seeds = [
            alternating(generator, discriminator, s, real[s], noise[s], fresh[s], *common)
            for s in range(len(real))
        ]
    fields = zip(*seeds, strict=True)
    stacked: list[Any] = [
        None if of_seeds[0] is None else torch.stack(of_seeds) for of_seeds in fields
    ]
    return Outcome(*stacked)
