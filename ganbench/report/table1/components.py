"""How much of a score's scatter comes from training seeds and how much from draws of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, fdtri

from ganbench.report.statistics import CONFIDENCE

Range = tuple[float, float]


@dataclass(frozen=True)
class Components:
    """The two-level model y_sd = mu + a_s + b_sd: variances of a (seeds) and b (draws).

    Attributes:
        seeds: number of seeds S.
        draws: draws of each, D.
        draw_variance: of b: the mean square within seeds; None with one draw.
        draw_interval: its 95 % interval, exact for normal b.
        seed_variance: of a, cut off at 0; None with one seed or one draw.
        seed_interval: its 95 % interval, both ends cut off at 0.
    """

    seeds: int
    draws: int
    draw_variance: float | None
    draw_interval: Range | None
    seed_variance: float | None
    seed_interval: Range | None


def two_level(scores: Sequence[Sequence[float]]) -> Components:
    """Returns the analysis of variance of draws within seeds.

    With the mean squares MSA = D var(seed means) and MSE (within), draws have variance MSE and
    seeds (MSA - MSE) / D. Intervals: MSE df / chi2 for draws (exact); for seeds Williams and
    Tukey's df_A (MSA - F MSE) / (D chi2), with F and chi2 the same upper (lower) quantiles for the
    lower (upper) end, whose coverage is at least 90 % and near 95 %.

    Args:
        scores: the draws of each seed, all equally many.

    Source: Searle, Casella and McCulloch 1992, "Variance Components", chapter 3; Williams 1962.
    """
    table = np.array(scores, dtype=float)
    seeds, draws = table.shape
    if draws < 2:
        return Components(seeds, draws, None, None, None, None)
    within = float(table.var(axis=1, ddof=1).mean())
    df_within = seeds * (draws - 1)
    upper, lower = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2  # tail areas above a quantile
    draw_interval = (
        within * df_within / float(chdtri(df_within, upper)),
        within * df_within / float(chdtri(df_within, lower)),
    )
    if seeds < 2:
        return Components(seeds, draws, within, draw_interval, None, None)
    df = seeds - 1
    between = draws * float(table.mean(axis=1).var(ddof=1))

    def end(tail: float) -> float:
        quantile = float(fdtri(df, df_within, 1 - tail))
        return max(0.0, df * (between - quantile * within) / (draws * float(chdtri(df, tail))))

    seed_variance = max(0.0, (between - within) / draws)
    return Components(seeds, draws, within, draw_interval, seed_variance, (end(upper), end(lower)))


def deviation(variance: float | None) -> float | None:
    """Returns the standard deviation of a variance."""
    return None if variance is None else math.sqrt(variance)


def deviations(interval: Range | None) -> Range | None:
    """Returns the ends of an interval of a variance as standard deviations."""
    return None if interval is None else (math.sqrt(interval[0]), math.sqrt(interval[1]))
