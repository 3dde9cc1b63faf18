"""The ops in plain torch, in any floating dtype: the CPU path, the oracle and the baseline.

S is the number of seeds trained together; that leading dimension may be absent everywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ganbench_kernels.objectives import OBJECTIVES
from ganbench_kernels.philox import LANES, dropout_mask, keep_lanes

__all__ = [
    "Dropout",
    "adversarial_loss",
    "dropout",
    "maxout_backward",
    "maxout_forward",
    "maxout_pool2d",
    "sgd_momentum_max_norm_",
]

DROPPED = 255  # in `which`: the output was dropped, so that no piece gets a gradient


class Dropout(NamedTuple):
    """Inverted dropout of an op's output: kept elements are divided by `keep`."""

    keep: float  # keep probability, in (0, 1]
    seed: Tensor  # int64 [S]
    offset: Tensor  # int64, 0-d: which mask of the seed's sequence


def dropout(x: Tensor, keep: float, seed: Tensor, offset: Tensor) -> Tensor:
    """Returns x [S, ...] with each element kept with probability `keep` and divided by it, or 0."""
    if keep_lanes(keep) == LANES:
        return x
    return scale_kept(x, dropout_mask(x.shape, keep, seed, offset).view(torch.uint8), keep)


def scale_kept(x: Tensor, kept: Tensor, keep: float) -> Tensor:
    """Returns x / keep where `kept` is 1, and 0 where it is 0.

    Args:
        x: any shape.
        kept: uint8, as x: torch converts booleans six times as slowly.
        keep: keep probability.
    """
    return x * kept.to(x.dtype).mul_(1 / keep)


def maxout_forward(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the largest affine piece of each unit, and which one that was.

    Args:
        x: [S, N, D].
        weight: [S, P, U, D].
        bias: [S, P, U].
        dropout: applied to the output.

    Returns:
        The output and the winning piece (uint8), [S, N, U]: the first one on ties, `DROPPED`
        where dropout made the output 0.
    """
    pieces, units = weight.shape[-3:-1]
    affine = affine_pieces(x, weight, bias)
    out, which = _first_largest(affine.unflatten(-1, (pieces, units)))
    if dropout is not None and keep_lanes(dropout.keep) < LANES:
        kept = dropout_mask(out.shape, dropout.keep, dropout.seed, dropout.offset)
        out = scale_kept(out, kept.view(torch.uint8), dropout.keep)
        which = which.masked_fill_(~kept, DROPPED)
    return out, which


def maxout_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    which: Tensor,
    row_weight: Tensor | None = None,
    keep: float = 1.0,
    needs_x: bool = True,
    needs_weight: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of x, weight and bias.

    Args:
        grad: of the output, [S, N, U].
        x: [S, N, D].
        weight: [S, P, U, D].
        which: from `maxout_forward`.
        row_weight: [S, N]; multiplies each row's part in the gradients of weight and bias only.
        keep: of the forward's dropout, whose mask `which` holds.
        needs_x: whether to work out the gradient of x; it is empty otherwise.
        needs_weight: the same for those of weight and bias.
    """
    pieces = weight.shape[-3]
    # Each piece's share of the gradient; `which` of a dropped output matches none.
    piece = torch.arange(pieces, dtype=torch.uint8, device=grad.device).unsqueeze(-1)
    won = which.unsqueeze(-2) == piece
    # A choice, not a product: a gradient of NaN or infinity reaches the winner only.
    routed = torch.where(won, (grad / keep).unsqueeze(-2), 0).flatten(-2)
    return affine_backward(routed, x, weight, row_weight, needs_x, needs_weight)


def affine_pieces(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns every affine piece before the maximum, [S, N, P * U]; arguments as `maxout`."""
    flat = weight.flatten(-3, -2).transpose(-2, -1)
    if x.dim() == 2:
        return torch.addmm(bias.flatten(), x, flat)
    return torch.baddbmm(bias.flatten(-2).unsqueeze(-2), x, flat)


def affine_backward(
    routed: Tensor,
    x: Tensor,
    weight: Tensor,
    row_weight: Tensor | None,
    needs_x: bool,
    needs_weight: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns `maxout_backward`'s gradients from that of `affine_pieces`, `routed`."""
    grad_x = routed @ weight.flatten(-3, -2) if needs_x else x.new_empty(0)
    if not needs_weight:
        return grad_x, x.new_empty(0), x.new_empty(0)
    # Weighting x instead of the routed gradients: there are fewer inputs than pieces times units.
    if row_weight is None:
        grad_bias = routed.sum(-2)
    else:
        grad_bias = (row_weight.unsqueeze(-2) @ routed).squeeze(-2)
        x = x * row_weight.unsqueeze(-1)
    grad_weight = routed.transpose(-2, -1) @ x
    return grad_x, grad_weight.view(weight.shape), grad_bias.view(weight.shape[:-1])


def _first_largest(affine: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum over pieces [..., P, U] and where it is; overwrites `affine`.

    The first winner is as many pieces down as lost before it. In the pieces' own dtype and place,
    because torch writes booleans and finds indices several times as slowly.
    """
    largest = affine.amax(-2)
    pieces = affine.shape[-2]
    lost = affine.ne_(largest.unsqueeze(-2))
    for piece in range(1, pieces - 1):
        lost[..., piece, :].mul_(lost[..., piece - 1, :])
    return largest, lost[..., : pieces - 1, :].sum(-2).to(torch.uint8)


def maxout_pool2d(x: Tensor, pieces: int, kernel_size: int, stride: int) -> tuple[Tensor, Tensor]:
    """Returns the maximum over each channel's pieces and over spatial windows (ceil mode).

    Args:
        x: [N, C * pieces, H, W]; the pieces of a channel are neighbours.
        pieces: number of pieces of each channel.
        kernel_size: side of the windows.
        stride: step between windows.

    Returns:
        The maxima [N, C, H', W'], and where they are, for `maxout_pool2d_backward`: the first in
        order of piece, row and column.
    """
    sizes = (pieces, kernel_size, kernel_size), (pieces, stride, stride)
    out, where = functional.max_pool3d_with_indices(
        x.unflatten(1, (-1, pieces)), *sizes, ceil_mode=True
    )
    return out.squeeze(2), where.squeeze(2)


def maxout_pool2d_backward(
    grad: Tensor, x: Tensor, where: Tensor, pieces: int, kernel_size: int, stride: int
) -> Tensor:
    """Returns the gradient of x; arguments as `maxout_pool2d`."""
    split = x.unflatten(1, (-1, pieces))
    size, step = [pieces, kernel_size, kernel_size], [pieces, stride, stride]
    grad_x = torch.ops.aten.max_pool3d_with_indices_backward(
        grad.unsqueeze(2), split, size, step, [0, 0, 0], [1, 1, 1], True, where.unsqueeze(2)
    )
    return grad_x.flatten(1, 2)


def sgd_momentum_max_norm_(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: float | Tensor,
    momentum: float | Tensor,
    max_norm: Sequence[float | None] | None,
) -> None:
    """Does one step of SGD with momentum in place, then bounds norms of incoming weights.

    v <- momentum v - lr g; p <- p + v; then each vector along a bounded parameter's last dimension
    (a unit's incoming weights) is scaled down to its bound if it is longer.

    Args:
        parameters: updated in place.
        velocities: updated in place; shapes as `parameters`.
        gradients: shapes as `parameters`.
        lr: learning rate, a number or a 0-d tensor.
        momentum: in [0, 1), a number or a 0-d tensor.
        max_norm: for each parameter its bound, or None for those without (biases); None for none.
    """
    bounds = [None] * len(parameters) if max_norm is None else max_norm
    with torch.no_grad():
        steps = zip(parameters, velocities, gradients, bounds, strict=True)
        for parameter, velocity, gradient, bound in steps:
            # A number fuses into one call; the value of a tensor would have to come from its
            # device.
            if isinstance(lr, Tensor):
                velocity.mul_(momentum).sub_(gradient * lr)
            else:
                velocity.mul_(momentum).sub_(gradient, alpha=lr)
            parameter.add_(velocity)
            if bound is not None:
                norm = torch.linalg.vector_norm(parameter, dim=-1, keepdim=True)
                parameter.mul_((bound / norm).clamp_(max=1))


def adversarial_loss(
    real_logits: Tensor, fake_logits: Tensor, objective: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns both players' losses and their gradients.

    Args:
        real_logits: [S, N], of real examples.
        fake_logits: [S, N], of generated examples.
        objective: a key of `OBJECTIVES`.

    Returns:
        The discriminator's and the generator's loss [S], in nats, lower is better for each, and
        the gradients [3, S, N]: the discriminator's by the real and by the fake logits, the
        generator's by the fake ones.
    """
    losses = OBJECTIVES[objective]
    real, d_real = losses.real(real_logits)
    fake, d_fake = losses.fake(fake_logits)
    generated, g_fake = losses.generated(fake_logits)
    gradients = torch.stack((d_real, d_fake, g_fake)).div_(real_logits.shape[-1])
    return real.mean(-1) + fake.mean(-1), generated.mean(-1), gradients
