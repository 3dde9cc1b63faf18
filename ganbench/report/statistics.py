"""Means and intervals over training seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds with its Student t interval, in the unit of the values.

    `low` and `high` are None with fewer than two seeds.
    """

    mean: float
    low: float | None
    high: float | None


def seed_mean(values: Sequence[float]) -> SeedMean:
    """Returns mean and 95 % interval: mean +- t(n - 1) sd(ddof 1) / sqrt(n).

    Args:
        values: one number per seed, at least one.
    """
    mean = statistics.fmean(values)
    count = len(values)
    if count == 1:
        return SeedMean(mean, None, None)
    quantile = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half_width = quantile * statistics.stdev(values) / math.sqrt(count)
    return SeedMean(mean, mean - half_width, mean + half_width)
