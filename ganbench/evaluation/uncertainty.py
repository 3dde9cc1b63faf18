"""What a likelihood would have been with other validation images or other numbers of samples."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganbench.evaluation.parzen import Protocol, likeliest, log_likelihoods

RESAMPLES = 200
RESAMPLING_SEED = 2014  # fixed, so that the same images always give the same error


def resampled_choices(matrix: Float64[Tensor, "k m"], resamples: int = RESAMPLES) -> list[int]:
    """Returns which bandwidth each bootstrap resample of the validation images would choose.

    Args:
        matrix: log-likelihood in nats of each image (columns) at each bandwidth (rows).
        resamples: how many times as many images are drawn from them with replacement.

    Source: Efron 1979, "Bootstrap methods".
    """
    # How often each image is in each resample; all resampled means are then one matrix product, and
    # the likelihoods themselves are never computed again.
    count = matrix.shape[1]
    stream = torch.Generator().manual_seed(RESAMPLING_SEED)
    drawn = torch.randint(count, (resamples, count), generator=stream)
    weights = torch.zeros(resamples, count, dtype=torch.float64)
    weights.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    means = weights.to(matrix.device) @ matrix.T / count
    return means.argmax(dim=1).tolist()


@dataclass(frozen=True)
class CurvePoint:
    """The likelihood with the first so many samples.

    Attributes:
        samples: how many.
        sigma: bandwidth chosen for these, pixel units.
        log_likelihood: nats, mean over the test images.
        standard_error: nats, over the test images.
    """

    samples: int
    sigma: float
    log_likelihood: float
    standard_error: float


def samples_curve(
    validation: Float[Tensor, "v d"],
    test: Float[Tensor, "t d"],
    parts: Iterable[Float[Tensor, "_n d"]],
    protocol: Protocol,
    folds: int = 1,
) -> list[CurvePoint]:
    """Returns the log-likelihood after each part of a growing set of samples.

    One pass: with N samples so far and n new ones, p = (N p_old + n p_new) / (N + n) at every
    bandwidth of the protocol's grid; the bandwidth is chosen anew at each size.

    Args:
        validation: images that choose the bandwidth.
        test: images that are scored.
        parts: samples; the first point uses the first part, the second the first two, and so on.
        protocol: gives the grid.
        folds: how many folds the data have.
    """
    grid = protocol.grid(folds)
    total, sums, points = 0, None, []
    # Validation and test images go through together: each part of the samples is met once.
    both = torch.cat([validation, test])
    for part in parts:
        # Sums of densities, in logarithms: a mean over the samples is only divided out at the end.
        new = log_likelihoods(both, part, grid) + math.log(len(part))
        sums = new if sums is None else torch.logaddexp(sums, new)
        total += len(part)
        matrix = sums - math.log(total)
        # As many samples deserve a bandwidth of their own: it falls as they grow.
        choice = likeliest(matrix[:, : len(validation)], grid)
        values = matrix[grid.index(choice.sigma), len(validation) :]
        error = values.std(correction=0).item() / len(values) ** 0.5
        points.append(CurvePoint(total, choice.sigma, values.mean().item(), error))
    return points
