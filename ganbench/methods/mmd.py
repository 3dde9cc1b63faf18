"""Maximum mean discrepancy between two samples, under a sum of Gaussian kernels."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def squared_mmd(
    real: Float[Tensor, "m d"],
    fake: Float[Tensor, "n d"],
    widths: Sequence[float],
    unbiased: bool = False,
) -> Float[Tensor, ""]:
    """Returns mean k(x, x') + mean k(y, y') - 2 mean k(x, y), for k = sum_s exp(-d^2 / (2 s)).

    Args:
        real: rows x.
        fake: rows y; gradients flow to both.
        widths: s of each kernel, a squared distance: s itself is not squared again.
        unbiased: leave the pairs of a row with itself out (the U-statistic, which may be negative)
            instead of keeping them (the V-statistic, never below 0 but for rounding).
    """
    within = _mean_within(real, widths, unbiased) + _mean_within(fake, widths, unbiased)
    return within - 2 * _kernel(real, fake, widths).mean()


def _mean_within(
    rows: Float[Tensor, "n d"], widths: Sequence[float], unbiased: bool
) -> Float[Tensor, ""]:
    count, total = len(rows), _kernel(rows, rows, widths).sum()
    if not unbiased:
        return total / count**2
    # A row is at distance 0 from itself, where every kernel is 1.
    return (total - count * len(widths)) / (count * (count - 1))


def _kernel(
    a: Float[Tensor, "m d"], b: Float[Tensor, "n d"], widths: Sequence[float]
) -> Float[Tensor, "m n"]:
    # |a - b|^2 by one matrix product; differences of rows would be [m, n, d].
    squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    # Rounding makes the distance of a row from itself slightly more or less than 0.
    distances = squares.clamp(min=0)
    if a is b:
        distances = distances.masked_fill(torch.eye(len(a), dtype=torch.bool, device=a.device), 0)
    kernel = torch.zeros_like(distances)
    for width in widths:
        kernel = kernel + torch.exp(distances / (-2 * width))
    return kernel
