"""The Gaussian Parzen-window log-likelihood under named protocols, with its standard errors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

import ganbench_kernels

# The bounded search ends when log sigma is known to this; sigma itself is then known to 1e-4 of it.
SEARCH_TOLERANCE = 1e-4
# A ladder of likelihoods whose spline is searched: with steps of log sigma no wider than these the
# spline's optimum is known far better than the tolerance. Wider steps narrow the bracket only.
RUNGS, WIDEST_STEP = 16, 0.035
# Where the best of a grid is its first or last point, the search may leave the grid by this factor.
REACH = 10.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Protocol:
    """Everything that fixes a Parzen number; its name identifies all of it.

    The seed rule of all: draw 0 is the run's first stretch of its `sampling` stream, draw d > 0 a
    sub-stream of its own; a draw chooses its bandwidth and scores the test images.

    Attributes:
        name: what tables print.
        samples: number of centres drawn from the model.
        sigmas: the bandwidths tried, in pixel units.
        validation_limit: how many of the first validation images choose the bandwidth; None for all
            of them. All of them too where the data come in folds.
        fold_sigmas: the bandwidths tried where the data come in folds, if others.
        one_sigma: whether all folds share one bandwidth, chosen on the validation images of all.
        search: "grid" takes the best of `sigmas`; "bounded" goes on from there between its
            neighbours by scipy's bounded scalar search in log sigma.
        note: what a reader must know; tables print it.
    """

    name: str
    samples: int
    sigmas: tuple[float, ...]
    validation_limit: int | None
    fold_sigmas: tuple[float, ...] | None = None
    one_sigma: bool = False
    search: Literal["grid", "bounded"] = "grid"
    note: str = ""

    def validation_images(self, images: Tensor, folds: int) -> Tensor:
        """Returns those of a fold's validation images that choose the bandwidth."""
        return images if folds > 1 else images[: self.validation_limit]

    def grid(self, folds: int) -> tuple[float, ...]:
        """Returns the bandwidths tried on data of so many folds."""
        return self.fold_sigmas if folds > 1 and self.fold_sigmas else self.sigmas

    def named(self, centers: int) -> str:
        """Returns the name of a result with so many centres: another number is another protocol."""
        return self.name if centers == self.samples else f"{self.name}_{centers}_centers"


def _hundredths(first: int, last: int) -> tuple[float, ...]:
    return tuple(number / 100 for number in range(first, last + 1))


GAN2014 = Protocol("gan2014", 10_000, tuple(np.logspace(-1, 0, 10).tolist()), 1000)
GMMN2015 = Protocol(
    "gmmn2015",
    10_000,
    _hundredths(10, 30),
    None,
    fold_sigmas=_hundredths(5, 25),
    one_sigma=True,
    note="one sigma for all folds, which leaks: a fold's validation images are test images of "
    "another",
)
FINE = Protocol("fine", 10_000, tuple(np.logspace(-2, 1, 28).tolist()), None, search="bounded")
PROTOCOLS = {protocol.name: protocol for protocol in (GAN2014, GMMN2015, FINE)}


@dataclass(frozen=True)
class Bandwidth:
    """The outcome of a bandwidth search.

    Attributes:
        sigma: the bandwidth of the largest mean log-likelihood, pixel units.
        log_likelihoods: the means on the validation images, nats, one per bandwidth tried.
        at_grid_edge: whether the optimum may lie outside the grid.
    """

    sigma: float
    log_likelihoods: list[float]
    at_grid_edge: bool


@dataclass(frozen=True)
class Refined:
    """A bandwidth by the bounded search.

    Attributes:
        sigma: pixel units.
        log_likelihood: mean on the validation images, nats.
        at_bound: whether the search ended at its bound, so that the optimum may lie beyond.
    """

    sigma: float
    log_likelihood: float
    at_bound: bool


def log_likelihoods(
    points: Float[Tensor, "m d"],
    centers: Float[Tensor, "n d"],
    sigmas: Sequence[float],
    progress: Progress | None = None,
    batch: int = 1000,
) -> Float64[Tensor, "k m"]:
    """Returns log p(x) in nats of each point under a Gaussian mixture, per bandwidth.

    log p(x) = logmeanexp_i(-||x - mu_i||^2 / (2 sigma^2)) - D log(sigma sqrt(2 pi)).

    Args:
        points: the images x.
        centers: the samples mu_i.
        sigmas: bandwidths, in the units of a pixel.
        progress: called with points done and points in all, after every batch.
        batch: points at a time; changes memory, not the result.

    Source: the paper, section 5, and its released script. Differs: D12.
    """
    # In batches, which shows progress and bounds memory; results in float64, so that
    # means over many images add no rounding of their own.
    scale = torch.tensor(sigmas, dtype=points.dtype, device=points.device)
    parts = []
    for part in points.split(batch):
        parts.append(ganbench_kernels.parzen_log_likelihood(part, centers, scale).double())
        if progress:
            progress(sum(part.shape[1] for part in parts), len(points))
    return torch.cat(parts, dim=1)


def choose_bandwidth(
    validation: Float[Tensor, "m d"], centers: Float[Tensor, "n d"], sigmas: Sequence[float]
) -> Bandwidth:
    """Returns the bandwidth that makes the validation images likeliest on average.

    Args:
        validation: images that the test set does not hold.
        centers: samples.
        sigmas: bandwidths to try, ascending.
    """
    return likeliest(log_likelihoods(validation, centers, sigmas), sigmas)


def likeliest(matrix: Float64[Tensor, "k m"], sigmas: Sequence[float]) -> Bandwidth:
    """Returns the bandwidth with the largest mean log-likelihood.

    Args:
        matrix: log-likelihood in nats of each validation image (columns) at each bandwidth (rows).
        sigmas: the bandwidths, ascending.
    """
    # At an end of the grid a better bandwidth may lie outside, which tables must say.
    means = matrix.mean(dim=1)
    best = int(means.argmax())
    return Bandwidth(sigmas[best], means.tolist(), best in (0, len(sigmas) - 1))


def refine_bandwidth(
    validation: Float[Tensor, "m d"],
    centers: Float[Tensor, "n d"],
    sigmas: Sequence[float],
    choice: Bandwidth,
) -> Refined:
    """Returns the best bandwidth between the neighbours of a grid's best, never a worse one.

    The search is scipy's `minimize_scalar`, bounded, in log sigma, to `SEARCH_TOLERANCE`. At an end
    of the grid it may go beyond by the factor `REACH`. Several bandwidths cost little more than
    one, so it searches a cubic spline through the likelihoods at the rungs of a ladder, between the
    best rung's neighbours; the spline's error is far below the tolerance.

    Args:
        validation: the images that chose `choice`.
        centers: samples.
        sigmas: the grid, ascending.
        choice: the best of the grid on these images.
    """
    # Imported here because it costs every other job nearly a second.
    import scipy.interpolate
    import scipy.optimize

    # The bracket: between the neighbours of the grid's best, or beyond the grid where it has none.
    best = sigmas.index(choice.sigma)
    first, last = best == 0, best == len(sigmas) - 1
    low = math.log(sigmas[0] / REACH if first else sigmas[best - 1])
    high = math.log(sigmas[-1] * REACH if last else sigmas[best + 1])

    # Ladders narrow the bracket around their best rung until a spline can follow the steps.
    below, above, step = low, high, math.inf
    while step > WIDEST_STEP:
        rungs, step = np.linspace(below, above, RUNGS, retstep=True)
        heights = log_likelihoods(validation, centers, np.exp(rungs).tolist()).mean(dim=1).cpu()
        top = int(heights.argmax())
        below, above = rungs[max(top - 1, 0)], rungs[min(top + 1, RUNGS - 1)]
    # The search itself costs nothing on the spline, which stands in for the likelihood.
    curve = scipy.interpolate.CubicSpline(rungs, heights)
    result: Any = scipy.optimize.minimize_scalar(
        lambda log_sigma: -curve(log_sigma),
        bounds=(below, above),
        method="bounded",
        options={"xatol": SEARCH_TOLERANCE},
    )
    log_sigma, value = float(result.x), -float(result.fun)
    of_grid = choice.log_likelihoods[best]
    # The search never visits its bounds themselves.
    near = 10 * SEARCH_TOLERANCE
    at_bound = (first and log_sigma - low < near) or (last and high - log_sigma < near)
    # A spline may undershoot: never give less than what was measured on the grid.
    if value < of_grid:
        return Refined(choice.sigma, of_grid, choice.at_grid_edge)
    return Refined(math.exp(log_sigma), value, at_bound)


def mean_and_standard_error(values: Float64[Tensor, " m"]) -> tuple[float, float]:
    """Returns the mean and std(ddof 0) / sqrt m, the paper's ± over test images."""
    return values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5


def over_folds(means: Sequence[float]) -> tuple[float, float]:
    """Returns the mean over folds and std(ddof 1) / sqrt(folds), the paper's ± on TFD (D14)."""
    return float(np.mean(means)), float(np.std(means, ddof=1) / len(means) ** 0.5)
