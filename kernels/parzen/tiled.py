"""The Parzen log-likelihood in plain torch, tile by tile: its CPU path and reference.

A tile's squared distances come from one matrix product and serve all bandwidths. Each point keeps
its smallest distance so far, shared by all bandwidths, and for each bandwidth the sum of
exp((smallest - distance) / (2 sigma^2)); a smaller distance rescales the sums. Both sets are
centred on the centers' mean first: the error of |p|^2 + |c|^2 - 2 p.c grows with the norms.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Two buffers of 250 x 1000 float32 stay in a core's second-level cache.
POINTS_PER_THREAD, CENTERS = 250, 1000
# exp of less gives denormals, which are slow, and is far below the rounding of any sum.
LOWEST_EXPONENT = -80.0


def parzen_log_likelihood(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Returns log of the mean over centers of N(point; center, sigma^2 I) [K, M], in nats.

    Args:
        points: [M, D].
        centers: [N, D].
        sigmas: [K], bandwidths.
    """
    # The running log-sum-exp of each point: the smallest distance, and sums relative to it.
    exponents = -0.5 / sigmas.square()
    nearest = points.new_full((len(points),), math.inf)
    sums = points.new_zeros((len(sigmas), len(points)))
    for rows, _, part, center, distances in _tiles(points, centers):
        del part, center
        # A nearer center rescales all sums; exponents stay at or below zero, so that none
        # overflows.
        closer = torch.minimum(nearest[rows], distances.amin(-1))
        sums[:, rows] *= torch.outer(exponents, nearest[rows] - closer).exp_()
        nearest[rows] = closer
        beyond = distances.sub_(closer.unsqueeze(-1))
        for exponent, total in zip(exponents, sums[:, rows], strict=True):
            total += (beyond * exponent).clamp_(min=LOWEST_EXPONENT).exp_().sum(-1)
    return (
        torch.outer(exponents, nearest)
        + sums.log()
        - log_volume(len(centers), centers.shape[1], sigmas)
    )


def log_volume(number: int, size: int, sigmas: Tensor) -> Tensor:
    """Returns log(number (2 pi sigma^2)^(size / 2)) for each bandwidth, [K, 1]."""
    constant = math.log(number) + 0.5 * size * math.log(2 * math.pi)
    return (size * sigmas.log() + constant).unsqueeze(-1)


def parzen_log_likelihood_backward(
    grad: Tensor, points: Tensor, centers: Tensor, sigmas: Tensor, log_likelihood: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of points, centers and sigmas.

    With w[k, m, n] the share of center n in point m's density at bandwidth k and A[m, n] the sum
    over k of grad[k, m] w[k, m, n] / sigma_k^2, they are A c - p A 1, A^T p - c A^T 1, and the sum
    over m and n of grad w (distance^2 / sigma^3 - D / sigma).

    Args:
        grad: of the result, [K, M].
        points: [M, D].
        centers: [N, D].
        sigmas: [K].
        log_likelihood: the result, [K, M].
    """
    # Shares come from the result: the backward pass needs no second log-sum-exp.
    log_sums = log_likelihood + log_volume(len(centers), centers.shape[1], sigmas)
    grad_points, grad_centers = torch.zeros_like(points), torch.zeros_like(centers)
    grad_sigmas = -points.shape[1] * grad.sum(-1) / sigmas
    for rows, columns, part, center, distances in _tiles(points, centers):
        # One matrix for all bandwidths, so that each tile costs two products, not two for each.
        pull = torch.zeros_like(distances)
        for k, sigma in enumerate(sigmas):
            exponent = -0.5 / sigma.square() * distances - log_sums[k, rows].unsqueeze(-1)
            share = exponent.clamp_(min=LOWEST_EXPONENT).exp_() * grad[k, rows].unsqueeze(-1)
            pull.addcdiv_(share, sigma.square())
            grad_sigmas[k] += (share * distances).sum() / sigma**3
        grad_points[rows] += pull @ center - part * pull.sum(1, keepdim=True)
        grad_centers[columns] += pull.T @ part - center * pull.sum(0).unsqueeze(-1)
    return grad_points, grad_centers, grad_sigmas


def _tiles(
    points: Tensor, centers: Tensor
) -> Iterator[tuple[slice, slice, Tensor, Tensor, Tensor]]:
    """Yields rows, columns, centred points and centers, and their squared distances.

    The centers and distances are in buffers that the next tile overwrites.
    """
    mean = centers.mean(0)
    points = points - mean
    point_norms = _squares(points).unsqueeze(-1)
    height = POINTS_PER_THREAD * torch.get_num_threads()
    width = min(CENTERS, len(centers))
    # Reused by every tile, so that they stay in the core's cache.
    buffer = points.new_empty(min(height, len(points)), width)
    center_buffer = centers.new_empty(width, centers.shape[1])
    for column in range(0, len(centers), CENTERS):
        columns = slice(column, column + CENTERS)
        raw = centers[columns]
        center = torch.sub(raw, mean, out=center_buffer[: len(raw)])
        center_norms = _squares(center)
        for row in range(0, len(points), height):
            rows = slice(row, row + height)
            part = points[rows]
            distances = buffer[: len(part), : len(center)]
            torch.addmm(center_norms, part, center.T, alpha=-2, out=distances)
            # Rounding may leave a small distance below zero.
            distances.add_(point_norms[rows]).clamp_(min=0)
            yield rows, columns, part, center, distances


def _squares(rows: Tensor) -> Tensor:
    """Returns the squared norm of each row, in one pass and without a copy."""
    return torch.linalg.vector_norm(rows, dim=-1).square_()
