"""Mixtures in the plane that generators are trained on, and what a sample of them must show."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import optimize, spatial
from torch import Tensor

NEAR = 3.0  # deviations from a centre within which a sample counts as good
FAIR = 0.1  # part of its fair share of the samples that a covered mode has at least, all good
RING_RADIUS = 2.0
GRID_SPACING = 2.0
BANDWIDTHS = (0.1, 0.5, 2.0)  # of the Gaussian kernels that the discrepancy adds up


@dataclass(frozen=True)
class Target:
    """Equal round Gaussians."""

    centres: Float[np.ndarray, "modes 2"]
    deviation: float

    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "count 2"]:
        """Draws independent points in float32."""
        which = torch.randint(len(self.centres), (count,), generator=rng)
        noise = torch.randn(count, 2, generator=rng)
        return torch.tensor(self.centres, dtype=torch.float32)[which] + self.deviation * noise

    def coverage(self, samples: Float[np.ndarray, "n 2"]) -> tuple[int, float]:
        """Returns the number of modes covered, and the share of good samples.

        A sample is good within `NEAR` deviations of its nearest centre; a mode is covered when at
        least `FAIR` of its fair share of all samples are good ones of its own.
        """
        distance, nearest = map(np.asarray, spatial.KDTree(self.centres).query(samples))
        good = distance < NEAR * self.deviation
        counts = np.bincount(nearest[good], minlength=len(self.centres))
        needed = FAIR * len(samples) / len(self.centres)
        return int((counts >= needed).sum()), float(good.mean())


def target(name: str, deviation: float) -> Target:
    """Returns the ring of 8 or the grid of 25."""
    if name == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        return Target(RING_RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1), deviation)
    line = GRID_SPACING * np.arange(-2, 3)
    return Target(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2), deviation)


def wasserstein_1(x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, "n 2"]) -> float:
    """Returns the exact Wasserstein-1 distance of two equal samples, by optimal assignment."""
    cost = spatial.distance.cdist(x, y)
    return float(cost[optimize.linear_sum_assignment(cost)].mean())


def squared_discrepancy(x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, "m 2"]) -> float:
    """Returns the unbiased estimate of MMD^2 under a sum of Gaussian kernels; it may be negative.

    Source: Gretton et al. (2012), equation 3.
    """
    between = _kernel(x, y).mean()
    return (
        _mean_off_diagonal(_kernel(x, x)) + _mean_off_diagonal(_kernel(y, y)) - 2 * float(between)
    )


def _kernel(x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    squared = spatial.distance.cdist(x, y, "sqeuclidean")
    return np.sum([np.exp(-squared / (2 * h**2)) for h in BANDWIDTHS], axis=0)


def _mean_off_diagonal(kernel: Float[np.ndarray, "n n"]) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
