"""The Gaussian Parzen-window log-likelihood of 2014, its bandwidth and its standard error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

import ganbench_kernels


@dataclass(frozen=True)
class Protocol:
    """Everything that fixes a Parzen number.

    Attributes:
        name: what tables print.
        samples: number of centres drawn from the model.
        sigmas: the bandwidths tried, in pixel units.
        validation_limit: how many of the first validation images choose the bandwidth; all of them
            where the data come in folds.
    """

    name: str
    samples: int
    sigmas: tuple[float, ...]
    validation_limit: int

    def validation_images(self, images: Tensor, folds: int) -> Tensor:
        """Returns those of a fold's validation images that choose the bandwidth."""
        return images if folds > 1 else images[: self.validation_limit]


GAN2014 = Protocol("gan2014", 10_000, tuple(np.logspace(-1, 0, 10).tolist()), 1000)
PROTOCOLS = {GAN2014.name: GAN2014}


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


def log_likelihoods(
    points: Float[Tensor, "m d"],
    centers: Float[Tensor, "n d"],
    sigmas: Sequence[float],
    progress: Callable[[int, int], None] | None = None,
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
    means = log_likelihoods(validation, centers, sigmas).mean(dim=1)
    best = int(means.argmax())
    return Bandwidth(sigmas[best], means.tolist(), best in (0, len(sigmas) - 1))


def mean_and_standard_error(values: Float64[Tensor, " m"]) -> tuple[float, float]:
    """Returns the mean and std(ddof 0) / sqrt m, the paper's ± over test images."""
    return values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5


def over_folds(means: Sequence[float]) -> tuple[float, float]:
    """Returns the mean over folds and std(ddof 1) / sqrt(folds), the paper's ± on TFD (D14)."""
    return float(np.mean(means)), float(np.std(means, ddof=1) / len(means) ** 0.5)
