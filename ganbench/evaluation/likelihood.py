"""Likelihood of samples under a named protocol: the bandwidth, the value, their uncertainty."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganbench.evaluation import parzen
from ganbench.evaluation.parzen import Bandwidth, Progress, Protocol, log_likelihoods
from ganbench.evaluation.uncertainty import resampled_choices

# Around a searched bandwidth resampled images choose from this many points in steps of 1 %.
LOCAL_POINTS = 21


@dataclass(frozen=True)
class FoldEstimate:
    """What the images of one fold say; the only fold where data have none.

    Attributes:
        sigma: the bandwidth used, pixel units.
        at_grid_edge: whether a better one may lie outside what was tried.
        sigmas: the grid.
        validation_log_likelihoods: means at the grid's points, nats.
        grid_penalty: nats; the best mean of the bounded search less that of the bandwidth used, on
            the same validation images. What the grid costs; 0 where the protocol searches itself.
        penalty_at_bound: whether that search ended at its bound, so that the penalty is a lower
            bound.
        resampled: nats; the test mean at the bandwidth that each bootstrap resample of the
            validation images would choose.
        log_likelihood: nats, mean over the test images.
        standard_error: nats, over the test images.
        n_validation: images that chose the bandwidth.
        n_test: test images.
    """

    sigma: float
    at_grid_edge: bool
    sigmas: tuple[float, ...]
    validation_log_likelihoods: tuple[float, ...]
    grid_penalty: float
    penalty_at_bound: bool
    resampled: tuple[float, ...]
    log_likelihood: float
    standard_error: float
    n_validation: int
    n_test: int

    @property
    def bandwidth_error(self) -> float:
        """Nats; standard deviation of the test mean when other validation images choose."""
        return statistics.stdev(self.resampled)


@dataclass(frozen=True)
class LikelihoodEstimate:
    """The result of a protocol.

    Attributes:
        protocol: its name, with the number of centres where that is not the protocol's.
        n_centers: samples.
        log_likelihood: nats, mean over test images, or over folds; higher is better.
        standard_error: nats, over test images, or over folds.
        folds: one entry per fold.
        one_choice: whether all folds share one bandwidth, chosen on the images of all.
    """

    protocol: str
    n_centers: int
    log_likelihood: float
    standard_error: float
    folds: tuple[FoldEstimate, ...]
    one_choice: bool = False

    @property
    def n_validation(self) -> int:
        """Images that chose a bandwidth, each counted once."""
        counts = [fold.n_validation for fold in self.folds]
        return counts[0] if self.one_choice else sum(counts)

    @property
    def grid_penalty(self) -> float:
        """Nats, mean over folds."""
        return float(np.mean([fold.grid_penalty for fold in self.folds]))

    @property
    def bandwidth_error(self) -> float:
        """Nats, of the mean over folds: each has a choice of its own, or all have the same."""
        if self.one_choice:
            together = zip(*(fold.resampled for fold in self.folds), strict=True)
            return statistics.stdev(statistics.fmean(values) for values in together)
        errors = [fold.bandwidth_error for fold in self.folds]
        return float(np.sqrt(np.sum(np.square(errors))) / len(errors))


def estimate(
    validation: Sequence[Float[Tensor, "_m d"]],
    test: Sequence[Float[Tensor, "_t d"]],
    samples: Float[Tensor, "n d"],
    protocol: Protocol,
    progress: Progress | None = None,
) -> LikelihoodEstimate:
    """Returns the Parzen log-likelihood of the test images under a protocol.

    Args:
        validation: all validation images of each fold; one entry where data have no folds.
        test: the test images of each fold, in the same order.
        samples: the centres, in the units and on the device of the images.
        protocol: fixes everything else.
        progress: called with test images done and in all, fold by fold.
    """
    # A bandwidth for each fold from its own validation images, or one from those of all folds.
    count = len(validation)
    chosen = [protocol.validation_images(images, count) for images in validation]
    if protocol.one_sigma:
        choices = [_choose(torch.cat(chosen), samples, protocol, count)] * count
    else:
        choices = [_choose(images, samples, protocol, count) for images in chosen]
    folds = tuple(
        _on_test(images, samples, choice, progress)
        for images, choice in zip(test, choices, strict=True)
    )
    # Without folds the error is over test images; with them over the folds, as the paper has it on
    # TFD: two kinds of ±.
    mean, error = folds[0].log_likelihood, folds[0].standard_error
    if count > 1:
        mean, error = parzen.over_folds([fold.log_likelihood for fold in folds])
    name, one_choice = protocol.named(len(samples)), protocol.one_sigma
    return LikelihoodEstimate(name, len(samples), mean, error, folds, one_choice)


@dataclass(frozen=True)
class _Choice:
    """A bandwidth and what resampled validation images would have taken instead."""

    grid: tuple[float, ...]
    bandwidth: Bandwidth
    sigma: float
    at_edge: bool
    penalty: float
    penalty_at_bound: bool
    resampled: tuple[float, ...]
    n_validation: int


def _choose(images: Tensor, samples: Tensor, protocol: Protocol, folds: int) -> _Choice:
    # The bounded search is made under every protocol: it tells what a coarse grid costs.
    grid = protocol.grid(folds)
    matrix = log_likelihoods(images, samples, grid)
    best = parzen.likeliest(matrix, grid)
    fine = parzen.refine_bandwidth(images, samples, grid, best)
    if protocol.search == "grid":
        resampled = [grid[index] for index in resampled_choices(matrix)]
        penalty = fine.log_likelihood - max(best.log_likelihoods)
        sigma, at_edge = best.sigma, best.at_grid_edge
    else:
        # Searching anew for each resample would take 200 times as long. The likelihood is smooth
        # around its best bandwidth, so that a fine local grid gives the same choice.
        local = (fine.sigma * np.exp(np.linspace(-0.1, 0.1, LOCAL_POINTS))).tolist()
        resampled = [
            local[index] for index in resampled_choices(log_likelihoods(images, samples, local))
        ]
        sigma, at_edge, penalty = fine.sigma, fine.at_bound, 0.0
    return _Choice(
        grid, best, sigma, at_edge, penalty, fine.at_bound, tuple(resampled), len(images)
    )


def _on_test(
    images: Tensor, samples: Tensor, choice: _Choice, progress: Progress | None
) -> FoldEstimate:
    """One pass over the test images at every bandwidth that matters."""
    # Further bandwidths are nearly free: the distances are what costs, and all of them share these.
    sigmas = [choice.sigma, *sorted(set(choice.resampled) - {choice.sigma})]
    matrix: Float64[Tensor, "k m"] = log_likelihoods(images, samples, sigmas, progress)
    mean, error = parzen.mean_and_standard_error(matrix[0])
    at = dict(zip(sigmas, matrix.mean(dim=1).tolist(), strict=True))
    return FoldEstimate(
        sigma=choice.sigma,
        at_grid_edge=choice.at_edge,
        sigmas=choice.grid,
        validation_log_likelihoods=tuple(choice.bandwidth.log_likelihoods),
        grid_penalty=choice.penalty,
        penalty_at_bound=choice.penalty_at_bound,
        resampled=tuple(at[sigma] for sigma in choice.resampled),
        log_likelihood=mean,
        standard_error=error,
        n_validation=choice.n_validation,
        n_test=len(images),
    )
