"""Means, intervals and comparisons over training seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtri, expit, logit, nctdtr, ndtri, stdtr, stdtrit

Bounds = tuple[float, float]
CONFIDENCE = 0.95
POWER = 0.8
# Below so many seeds a p-value is not printed. Nothing here resamples seeds: a bootstrap over
# fewer than ten of them knows less than Student's t does.
SEEDS_FOR_P = 6


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds with its Student t interval, in the unit of the values.

    `low` and `high` are None with fewer than two seeds.
    """

    mean: float
    low: float | None
    high: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def seed_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> SeedMean:
    """Returns mean and interval: mean +- t(n - 1) sd(ddof 1) / sqrt(n).

    Args:
        values: one number per seed, at least one.
        confidence: of the interval.
    """
    mean = statistics.fmean(values)
    count = len(values)
    if count == 1:
        return SeedMean(mean, None, None)
    # Student's t and not the normal quantile: with three seeds the interval is 2.2 times as wide.
    half_width = t_quantile(count - 1, confidence) * statistics.stdev(values) / math.sqrt(count)
    return SeedMean(mean, mean - half_width, mean + half_width)


def bounded_interval(
    mean: float, error: float, quantile: float, bounds: Bounds | None
) -> tuple[float, float]:
    """Returns the t interval of a mean, on a scale that has no end where the quantity has one.

    With both ends: of logit((mean - low) / (high - low)); with the lower alone: of
    log(mean - low). The standard error goes over by the derivative (delta method) and the ends
    come back, so that they lie in the range. Without bounds: mean +- quantile error.

    Args:
        mean: in the quantity's unit.
        error: its standard error, in the same unit.
        quantile: of Student's t.
        bounds: what is possible; the upper end may be infinite.
    """
    # A mean at an end is one of values that all lie there: no transform has anything to say.
    if bounds is None or error == 0 or not bounds[0] < mean < bounds[1]:
        return mean - quantile * error, mean + quantile * error
    low, high = bounds
    if math.isinf(high):
        # The same in logarithms, kept from overflowing where the error dwarfs the mean.
        factor = math.exp(min(quantile * error / (mean - low), 700.0))
        return low + (mean - low) / factor, low + (mean - low) * factor
    share, width = (mean - low) / (high - low), high - low
    half = quantile * error / width / (share * (1 - share))
    center = float(logit(share))
    return low + width * float(expit(center - half)), low + width * float(expit(center + half))


def share_interval(share: float, count: float, confidence: float = CONFIDENCE) -> Bounds:
    """Returns Wilson's interval of a share, which has a width even where the share is 0 or 1.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        share: p, within 0 and 1.
        count: n, the independent observations behind it; need not be whole.
        confidence: of the interval.

    Source: Wilson, "Probable inference", JASA 22 (1927).
    """
    z = float(ndtri((1 + confidence) / 2))
    # At the ends rounding would leave the range, hence the cuts.
    center, scale = share + z**2 / (2 * count), 1 + z**2 / count
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Returns where one more seed would lie: mean +- t(n - 1) sd sqrt(1 + 1 / n), 95 %.

    Args:
        values: one number per seed, at least two.
    """
    # A new seed differs from the true mean by sd and the mean of n from it by sd / sqrt(n); the two
    # are independent.
    mean, count = statistics.fmean(values), len(values)
    spread = statistics.stdev(values) * math.sqrt(1 + 1 / count)
    half_width = t_quantile(count - 1) * spread
    return mean - half_width, mean + half_width


def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """Returns the two-sided quantile of Student's t."""
    return float(stdtrit(df, (1 + confidence) / 2))


@dataclass(frozen=True)
class Difference:
    """A difference of two means in the unit of the values.

    Attributes:
        mean: second less first.
        low: end of its 95 % interval.
        high: the other end.
        p: two-sided p-value of no difference; None below `SEEDS_FOR_P` seeds.
        seeds: values on each side.
    """

    mean: float
    low: float
    high: float
    p: float | None
    seeds: tuple[int, int]


def welch(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Returns the difference of means with Welch's interval; None where neither side varies.

    Args:
        first: one number per seed, at least two.
        second: of other seeds or the same ones.

    Source: Welch 1947; degrees of freedom by Satterthwaite 1946.
    """
    parts = [statistics.variance(values) / len(values) for values in (first, second)]
    # Welch and not Student: two configurations rarely have the same spread over seeds.
    total = sum(parts)
    if total == 0:
        return None
    counts = (len(first), len(second))
    shares = [part / total for part in parts]
    df = 1 / sum(share**2 / (count - 1) for share, count in zip(shares, counts, strict=True))
    mean = statistics.fmean(second) - statistics.fmean(first)
    return _difference(mean, math.sqrt(total), df, counts)


def paired(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Returns the mean difference of pairs; None where all differ alike (arguments as `welch`).

    Args:
        first: one number per seed, at least two.
        second: of the same seeds, in the same order.
    """
    # Runs of one seed share data order and noise, and what they share cancels in the difference.
    differences = [b - a for a, b in zip(first, second, strict=True)]
    count, spread = len(differences), statistics.stdev(differences)
    if spread == 0:
        return None
    error = spread / math.sqrt(count)
    return _difference(statistics.fmean(differences), error, count - 1, (count, count))


def _difference(mean: float, error: float, df: float, counts: tuple[int, int]) -> Difference:
    half_width = t_quantile(df) * error
    # The lower tail, doubled: 1 less an upper tail would lose small p-values to rounding.
    p = 2 * float(stdtr(df, -abs(mean) / error)) if min(counts) >= SEEDS_FOR_P else None
    return Difference(mean, mean - half_width, mean + half_width, p, counts)


def upper_deviation(values: Sequence[float], confidence: float = 0.8) -> float:
    """Returns the one-sided upper confidence bound of the standard deviation over seeds.

    sd sqrt((n - 1) / chi2), with the lower quantile of chi-square at n - 1 degrees of freedom.

    Args:
        values: one number per seed, at least two, taken as normal.
        confidence: that the true deviation is below.
    """
    df = len(values) - 1
    return statistics.stdev(values) * math.sqrt(df / float(chdtri(df, confidence)))


def seeds_needed(deviation: float, difference: float) -> int:
    """Returns the seeds of each of two configurations that tell a difference with power 0.8.

    Two-sided t test at 5 %, both with the same deviation; exact power by the noncentral t.

    Args:
        deviation: standard deviation over seeds.
        difference: of the means, in the same unit, above 0.
    """
    # Where seeds do not differ at all, two runs of each side tell any difference.
    effect = difference / deviation if deviation else math.inf
    if _power(2, effect) >= POWER:
        return 2
    # The normal approximation is a lower bound; the exact number is at most a few above.
    sum_of_quantiles = float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER))
    count = max(2, math.floor(2 * (sum_of_quantiles / effect) ** 2))
    while _power(count, effect) < POWER:
        count += 1
    return count


def _power(count: int, effect: float) -> float:
    if math.isinf(effect):
        return 1.0
    # Both tails: a difference in either direction counts.
    df, center = 2 * (count - 1), effect * math.sqrt(count / 2)
    critical = t_quantile(df)
    return 1 - float(nctdtr(df, center, critical)) + float(nctdtr(df, center, -critical))
