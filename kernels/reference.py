"""Every op in plain torch, in any floating dtype: the CPU path, the oracle and the baseline.

S is the number of seeds trained together; that leading dimension may be absent everywhere.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ganbench_kernels.philox import LANES, dropout_mask, keep_lanes

Objective = Literal["non_saturating", "minimax", "hinge", "wasserstein"]
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
    kept = dropout_mask(x.shape, keep, seed, offset)
    # From bytes: torch converts booleans six times as slowly.
    return x * kept.view(torch.uint8).to(x.dtype).mul_(1 / keep)


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
    flat = weight.flatten(-3, -2).transpose(-2, -1)
    if x.dim() == 2:
        affine = torch.addmm(bias.flatten(), x, flat)
    else:
        affine = torch.baddbmm(bias.flatten(-2).unsqueeze(-2), x, flat)
    out, which = affine.unflatten(-1, (pieces, units)).max(-2)
    which = which.to(torch.uint8)
    if dropout is not None and keep_lanes(dropout.keep) < LANES:
        kept = dropout_mask(out.shape, dropout.keep, dropout.seed, dropout.offset)
        out = out * kept.view(torch.uint8).to(out.dtype).mul_(1 / dropout.keep)
        which = which.masked_fill_(~kept, DROPPED)
    return out, which


def maxout_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    which: Tensor,
    row_weight: Tensor | None = None,
    keep: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of x, weight and bias.

    Args:
        grad: of the output, [S, N, U].
        x: [S, N, D].
        weight: [S, P, U, D].
        which: from `maxout_forward`.
        row_weight: [S, N]; multiplies each row's part in the gradients of weight and bias only.
        keep: of the forward's dropout, whose mask `which` holds.
    """
    pieces = weight.shape[-3]
    piece = torch.arange(pieces, dtype=torch.uint8, device=grad.device).unsqueeze(-1)
    won = which.unsqueeze(-2) == piece
    routed = (won.view(torch.uint8).to(grad.dtype) * (grad / keep).unsqueeze(-2)).flatten(-2)
    grad_x = routed @ weight.flatten(-3, -2)
    if row_weight is not None:
        routed = routed * row_weight.unsqueeze(-1)
    grad_weight = (routed.transpose(-2, -1) @ x).view(weight.shape)
    return grad_x, grad_weight, routed.sum(-2).view(weight.shape[:-1])


def maxout_pool2d(x: Tensor, pieces: int, kernel_size: int, stride: int) -> Tensor:
    """Returns the maximum over each channel's pieces and over spatial windows (ceil mode).

    Args:
        x: [N, C * pieces, H, W]; the pieces of a channel are neighbours.
        pieces: number of pieces of each channel.
        kernel_size: side of the windows.
        stride: step between windows.
    """
    split = x.unflatten(1, (-1, pieces))
    sizes = (pieces, kernel_size, kernel_size), (pieces, stride, stride)
    return functional.max_pool3d(split, *sizes, ceil_mode=True).squeeze(2)


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
            if isinstance(lr, Tensor):
                velocity.mul_(momentum).sub_(gradient * lr)
            else:
                velocity.mul_(momentum).sub_(gradient, alpha=lr)
            parameter.add_(velocity)
            if bound is not None:
                norm = torch.linalg.vector_norm(parameter, dim=-1, keepdim=True)
                parameter.mul_((bound / norm).clamp_(max=1))


def adversarial_loss(
    real_logits: Tensor, fake_logits: Tensor, objective: Objective
) -> tuple[Tensor, Tensor]:
    """Returns the discriminator's and the generator's loss [S], in nats, lower is better for each.

    Args:
        real_logits: [S, N], of real examples.
        fake_logits: [S, N], of generated examples.
        objective: which game; see README.md for its formulas.
    """
    if objective == "hinge":
        margins = functional.relu(1 - real_logits) + functional.relu(1 + fake_logits)
        return margins.mean(-1), -fake_logits.mean(-1)
    if objective == "wasserstein":
        return fake_logits.mean(-1) - real_logits.mean(-1), -fake_logits.mean(-1)
    # -log D(x) and -log(1 - D(G(z))); logsigmoid neither overflows nor loses small values.
    real = -functional.logsigmoid(real_logits).mean(-1)
    fake = -functional.logsigmoid(-fake_logits).mean(-1)
    generator = -fake if objective == "minimax" else -functional.logsigmoid(fake_logits).mean(-1)
    return 0.5 * (real + fake), generator


def parzen_log_likelihood(
    points: Tensor, centers: Tensor, sigmas: Tensor, tile: tuple[int, int] = (500, 2000)
) -> Tensor:
    """Returns log of the mean over centers of N(point; center, sigma^2 I) [K, M], in nats.

    Args:
        points: [M, D].
        centers: [N, D].
        sigmas: [K], bandwidths.
        tile: points and centers whose distances are held at a time.
    """
    mean = centers.mean(0)
    centered = (centers - mean).split(tile[1])
    norms = [part.square().sum(-1) for part in centered]
    exponents = -0.5 / sigmas.square()
    rows = []
    for part in (points - mean).split(tile[0]):
        nearest = part.new_full((len(part),), math.inf)
        sums = part.new_zeros((len(sigmas), len(part)))
        norm = part.square().sum(-1, keepdim=True)
        for center, center_norm in zip(centered, norms, strict=True):
            distances = torch.addmm(norm + center_norm, part, center.T, alpha=-2)
            closer = torch.minimum(nearest, distances.detach().amin(-1))
            scale = exponents.unsqueeze(-1) * (nearest - closer).nan_to_num(posinf=0)
            nearest = closer
            beyond = distances - closer.unsqueeze(-1)
            # Denormals are slow: exp(-80) is far below any sum's rounding.
            terms = [(beyond * k).clamp(min=-80).exp().sum(-1) for k in exponents]
            sums = sums * scale.exp() + torch.stack(terms)
        rows.append(exponents.unsqueeze(-1) * nearest + sums.log())
    log_volume = points.shape[1] * (sigmas.log() + 0.5 * math.log(2 * math.pi))
    return torch.cat(rows, 1) - (log_volume + math.log(len(centers))).unsqueeze(-1)
