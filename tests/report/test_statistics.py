import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ganbench.report.statistics import (
    bounded_interval,
    paired,
    prediction_interval,
    seed_mean,
    seeds_needed,
    share_interval,
    upper_deviation,
    welch,
)

# Quantiles t(df, 0.975) as printed in tables, to their last digit.
T_TABLE = {1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262}
TABLE_TOLERANCE = 2e-4  # relative: the tables print four digits

scores = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=8)


@pytest.mark.parametrize(("df", "quantile"), T_TABLE.items())
def test_interval_is_students_t(df: int, quantile: float) -> None:
    values = [float(value) for value in range(df + 1)]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / df
    half = quantile * math.sqrt(variance / len(values))
    actual = seed_mean(values)
    assert actual.mean == pytest.approx(mean)
    assert actual.low is not None
    assert actual.high is not None
    assert mean - actual.low == pytest.approx(half, rel=TABLE_TOLERANCE)
    assert actual.high - mean == pytest.approx(half, rel=TABLE_TOLERANCE)


def test_one_seed_has_no_interval() -> None:
    actual = seed_mean([225.0])
    assert (actual.mean, actual.low, actual.high) == (225.0, None, None)


def test_equal_seeds_have_an_interval_of_no_width() -> None:
    actual = seed_mean([7.0, 7.0, 7.0])
    assert (actual.mean, actual.low, actual.high) == (7.0, 7.0, 7.0)


@given(scores, st.floats(-100, 100))
def test_a_shift_moves_everything_alike(values: list[float], shift: float) -> None:
    before, after = seed_mean(values), seed_mean([value + shift for value in values])
    assert before.low is not None
    assert after.low is not None
    # The values are up to 1e4 and the half-width is a difference of such: rounding near 1e-8.
    assert after.mean - before.mean == pytest.approx(shift, abs=1e-7)
    assert after.low - before.low == pytest.approx(shift, abs=1e-7)


# scipy.stats and scipy.special agree to rounding.
EXACT = {"rel": 1e-9, "abs": 1e-9}
FIRST, SECOND = (
    [214.0, 220.5, 231.0, 219.0, 226.0, 224.5],
    [230.0, 229.0, 236.5, 221.0, 240.0, 233.0],
)


def test_welch_is_scipys() -> None:
    actual = welch(FIRST, SECOND[:5])
    assert actual is not None
    expected = scipy.stats.ttest_ind(SECOND[:5], FIRST, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert actual.mean == pytest.approx(np.mean(SECOND[:5]) - np.mean(FIRST), **EXACT)
    assert (actual.low, actual.high) == pytest.approx((interval.low, interval.high), **EXACT)
    assert (actual.p, actual.seeds) == (None, (6, 5))
    six = welch(FIRST, SECOND)
    assert six is not None
    assert six.p == pytest.approx(
        scipy.stats.ttest_ind(SECOND, FIRST, equal_var=False).pvalue, **EXACT
    )


def test_pairs_are_scipys() -> None:
    actual = paired(FIRST, SECOND)
    assert actual is not None
    expected = scipy.stats.ttest_rel(SECOND, FIRST)
    interval = expected.confidence_interval(0.95)
    assert (actual.low, actual.high) == pytest.approx((interval.low, interval.high), **EXACT)
    assert actual.p == pytest.approx(expected.pvalue, **EXACT)
    fewer = paired(FIRST[:5], SECOND[:5])
    assert fewer is not None
    assert fewer.p is None


def test_what_does_not_vary_has_no_interval() -> None:
    assert welch([1.0, 1.0], [2.0, 2.0]) is None
    assert paired([1.0, 2.0], [2.0, 3.0]) is None


@given(scores, scores)
def test_the_order_of_sides_changes_the_sign_only(first: list[float], second: list[float]) -> None:
    one, other = welch(first, second), welch(second, first)
    if one is None or other is None:
        assert one is other
        return
    # Rounding of numbers up to 1e4 and of half-widths a hundred times as large.
    assert (one.mean, one.low, one.high) == pytest.approx(
        (-other.mean, -other.high, -other.low), rel=1e-9, abs=1e-6
    )


def test_one_more_seed_lies_inside_its_interval_as_often_as_promised() -> None:
    values = [3.0, 5.0, 4.0]
    half = 4.302652729911275 * math.sqrt(1 + 1 / 3)  # t(2, 0.975) sd sqrt(1 + 1/3), sd = 1
    assert prediction_interval(values) == pytest.approx((4 - half, 4 + half))
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        *known, one_more = rng.normal(10, 3, size=6).tolist()
        low, high = prediction_interval(known)
        inside += low <= one_more <= high
    # Four standard errors of a share of 0.95 in 2,000 trials.
    assert inside / 2000 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 2000))


def test_the_upper_bound_of_a_deviation_is_above_it_in_four_of_five_cases() -> None:
    values = [1.0, 2.0, 3.0]
    expected = math.sqrt(2 / scipy.stats.chi2.ppf(0.2, 2))
    assert upper_deviation(values) == pytest.approx(expected, **EXACT)
    rng = np.random.default_rng(0)
    above = np.mean([upper_deviation(rng.normal(0, 3, size=4).tolist()) > 3 for _ in range(2000)])
    assert above == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 2000))


# Cohen 1988, tables for the two-sample t test: effects 0.8, 0.5 and 0.2 at 5 % and power 0.8.
@pytest.mark.parametrize(("effect", "seeds"), [(0.8, 26), (0.5, 64), (0.2, 394)])
def test_the_seeds_needed_are_those_of_published_tables(effect: float, seeds: int) -> None:
    assert seeds_needed(1.0, effect) == seeds
    assert seeds_needed(50.0, 50.0 * effect) == seeds


def slow_power(count: int, effect: float) -> float:
    df = 2 * count - 2
    critical = scipy.stats.t.ppf(0.975, df)
    return float(scipy.stats.nct.sf(critical, df, effect * math.sqrt(count / 2)))


@pytest.mark.parametrize("effect", [0.01, 0.3, 1.0, 2.0, 5.0])
def test_one_seed_fewer_would_not_do(effect: float) -> None:
    count = seeds_needed(1.0, effect)
    # The other tail is below 1e-6 where the power is 0.8.
    assert slow_power(count, effect) > 0.8 - 1e-5
    assert count == 2 or slow_power(count - 1, effect) < 0.8


def test_seeds_that_all_score_alike_need_two() -> None:
    assert seeds_needed(0.0, 2.0) == 2


def test_a_share_has_the_logit_interval_by_hand() -> None:
    # logit .8 = log 4, the error there is .08 / (.8 * .2) = .5, and the ends have odds 4 / e, 4 e.
    low, high = bounded_interval(0.8, 0.08, 2.0, (0, 1))
    assert low == pytest.approx(4 / math.e / (1 + 4 / math.e))
    assert high == pytest.approx(4 * math.e / (1 + 4 * math.e))
    # The same number in eighths.
    assert bounded_interval(6.4, 0.64, 2.0, (0, 8)) == pytest.approx((8 * low, 8 * high))


def test_a_distance_has_the_log_interval_and_others_students() -> None:
    expected = (2 / math.e, 2 * math.e)
    assert bounded_interval(2.0, 1.0, 2.0, (0, math.inf)) == pytest.approx(expected)
    assert bounded_interval(2.0, 1.0, 2.0, None) == (0.0, 4.0)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-9, 1), st.floats(0.1, 700))
def test_no_interval_of_a_share_leaves_it(mean: float, error: float, quantile: float) -> None:
    low, high = bounded_interval(mean, error, quantile, (0, 1))
    assert 0 <= low <= mean * (1 + 1e-9)
    assert mean * (1 - 1e-9) <= high <= 1


def test_small_errors_give_students_interval() -> None:
    narrow = bounded_interval(0.5, 1e-4, 2.776, (0, 1))
    assert narrow == pytest.approx((0.5 - 2.776e-4, 0.5 + 2.776e-4), rel=1e-6)


def test_logit_intervals_cover_as_often_as_they_promise() -> None:
    """Shares of 200 images in five blocks, as precision is measured, of a true share of .9."""
    rng = np.random.default_rng(0)
    hits, quantile = 0, float(scipy.stats.t.ppf(0.975, 4))
    for blocks in rng.binomial(200, 0.9, size=(1000, 5)) / 200:
        error = float(blocks.std(ddof=1) / math.sqrt(5))
        low, high = bounded_interval(float(blocks.mean()), error, quantile, (0, 1))
        hits += low <= 0.9 <= high
    # Four standard errors of a share in 1,000 trials.
    assert abs(hits / 1000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1000)


@given(st.integers(1, 500), st.data(), st.sampled_from([0.9, 0.95, 0.99]))
def test_a_shares_interval_is_scipys_wilson(n: int, data: st.DataObject, confidence: float) -> None:
    count = data.draw(st.integers(0, n))
    expected = scipy.stats.binomtest(count, n).proportion_ci(confidence, method="wilson")
    actual = share_interval(count / n, n, confidence)
    assert actual == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= actual[0] < actual[1] <= 1
