"""The simultaneous update of S seeds at once, with one backward pass for both players.

The simultaneous update shows both players the same fakes, masks and discriminator, and D has one
output for each example. So for example i every gradient below the logit is the same vector times
dL/dlogit_i, and the players differ by their dL/dlogit alone: one forward over [real; fake] and one
backward from the unit cotangent serve both. Each player's dL/dlogit comes in where the backward
meets D's weights or leaves D at the fakes; nothing is divided by their ratio, which would break at
confident logits and for hinge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import ganbench_kernels
from ganbench.config import Objective
from ganbench.models import Discriminator, Generator
from ganbench.training.fused.passes import ALL, Rates
from ganbench.training.fused.players import Player


class Masks(NamedTuple):
    """The dropout masks of one update: `seed` keys each run, `offset` numbers the first one."""

    seed: Int64[Tensor, " s"]
    offset: Int64[Tensor, ""]


def masks_per_update(discriminator: Discriminator) -> int:
    """Returns how many mask numbers an update may use: Algorithm 1 shows D three batches."""
    return 3 * len(discriminator.layers)


@dataclass(frozen=True)
class Outcome:
    """What an update saw; gradient norms, where asked for, are before momentum."""

    discriminator_loss: Float[Tensor, " s"]
    generator_loss: Float[Tensor, " s"]
    real_logits: Float[Tensor, "s n"]
    fake_logits: Float[Tensor, "s n"]
    discriminator_norm: Float[Tensor, " s"] | None = None
    generator_norm: Float[Tensor, " s"] | None = None


def update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "s n d"],
    noise: Float[Tensor, "s n z"],
    masks: Masks,
    objective: Objective,
    rates: Rates,
    with_norms: bool = False,
) -> Outcome:
    """Moves both players of every seed by gradients at the same parameters, fakes and masks.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        real: a minibatch of training images for each seed.
        noise: z of as many fakes.
        masks: dropout of D.
        objective: see `ganbench_kernels.adversarial_loss`.
        rates: of both players.
        with_norms: whether to work out gradient norms.

    Source: the released code of 2014. Differs from Algorithm 1: D1.
    """
    with torch.no_grad():
        # One forward pass of each player. Reals and fakes go through D together, under one dropout
        # mask a layer, because both losses are of the same batch.
        fake = noise.to(generator.compute.dtype)
        for layer_pass in generator.passes:
            fake = layer_pass.forward(fake)
        count = real.shape[1]
        factors = _dropout_factors(discriminator, fake, 2 * count, masks)
        # A copy: the next update writes over the pass's output.
        logits = _logits(
            discriminator, _discriminator_input(discriminator, real, fake, factors[0]), factors
        )
        logits = logits.to(discriminator.weights.dtype, copy=True)

        # dL/dlogit of each player: D's by reals and fakes, G's by fakes. The players' gradients
        # differ in nothing else (see the module's first paragraph).
        real_logits, fake_logits = logits[:, :count], logits[:, count:]
        d_loss, g_loss, slopes = ganbench_kernels.adversarial_loss_gradients(
            real_logits, fake_logits, objective
        )
        row_weight = torch.cat([slopes[0], slopes[1]], 1)

        # One backward pass of D from the unit cotangent. Each of its layers learns as soon as the
        # gradient has passed it: D's slopes weigh the rows there, and its weights may move then.
        d_norms, g_norms = ([], []) if with_norms else (None, None)
        learn = partial(discriminator.learn, rates=rates, row_weight=row_weight, norms=d_norms)
        cotangent = _sample_cotangent(discriminator, factors, slice(count, None), learn)

        # At the images only the fakes go on, weighed by G's slopes, down through G.
        grad = cotangent.mul_(slopes[2].to(cotangent.dtype).unsqueeze(-1))
        for number, layer_pass in reversed(list(enumerate(generator.passes))):
            layer_pass.backward(grad)
            if number:
                grad = layer_pass.input_gradient()
            generator.learn(number, rates, norms=g_norms)

        # What has not moved yet moves now; then the norms of incoming weights are bounded.
        discriminator.move(rates)
        generator.move(rates)
        return Outcome(
            d_loss, g_loss, real_logits, fake_logits, _together(d_norms), _together(g_norms)
        )


def _together(norms: list[Tensor] | None) -> Float[Tensor, " s"] | None:
    return None if norms is None else torch.stack(norms).norm(dim=0)


def _dropout_factors(
    player: Player[Discriminator], fake: Tensor, rows: int, masks: Masks
) -> list[Tensor | None]:
    """What each layer's input is multiplied by: 0 or 1 / keep; None where all is kept."""
    widths = [fake.shape[-1], *(layer_pass.layer.outputs for layer_pass in player.passes[:-1])]
    shapes = [torch.Size((len(fake), rows, width)) for width in widths]
    return ganbench_kernels.dropout_factors(shapes, player.networks[0].keep, *masks, fake)


def _discriminator_input(
    discriminator: Player[Discriminator], real: Tensor, fake: Tensor, factor: Tensor | None
) -> Float[Tensor, "s n d"]:
    """Returns [real; fake] times the first layer's dropout, without a copy in between."""
    count, buffers = real.shape[1], discriminator.passes[0].buffers
    out = buffers.take("discriminator_input", (len(real), 2 * count, real.shape[-1]), fake)
    for rows, part in ((slice(count), real.to(fake.dtype)), (slice(count, None), fake)):
        if factor is None:
            out[:, rows].copy_(part)
        else:
            torch.mul(part, factor[:, rows], out=out[:, rows])
    return out


def _logits(
    discriminator: Player[Discriminator], x: Tensor, factors: list[Tensor | None]
) -> Float[Tensor, "s n"]:
    """The first layer's dropout is in x already."""
    for number, (layer_pass, factor) in enumerate(zip(discriminator.passes, factors, strict=True)):
        x = layer_pass.forward(x if factor is None or not number else x * factor)
    return x.squeeze(-1)


def _sample_cotangent(
    discriminator: Player[Discriminator],
    factors: list[Tensor | None],
    fakes: slice,
    learn: Callable[[int], None],
) -> Float[Tensor, "s n d"]:
    """Returns dlogit_i/dimage_i of the fakes; calls `learn` with each layer that it has passed."""
    grad = torch.ones_like(discriminator.passes[-1].out)
    for number in reversed(range(len(factors))):
        rows = ALL if number else fakes
        discriminator.passes[number].backward(grad)
        grad = discriminator.passes[number].input_gradient(rows)
        learn(number)
        factor = factors[number]
        if factor is not None:
            grad.mul_(factor[:, rows])
    return grad
