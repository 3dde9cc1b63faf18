import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.report.statistics import seed_mean

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
    found = seed_mean(values)
    assert found.mean == pytest.approx(mean)
    assert found.low is not None
    assert found.high is not None
    assert mean - found.low == pytest.approx(half, rel=TABLE_TOLERANCE)
    assert found.high - mean == pytest.approx(half, rel=TABLE_TOLERANCE)


def test_one_seed_has_no_interval() -> None:
    found = seed_mean([225.0])
    assert (found.mean, found.low, found.high) == (225.0, None, None)


def test_equal_seeds_have_an_interval_of_no_width() -> None:
    found = seed_mean([7.0, 7.0, 7.0])
    assert (found.mean, found.low, found.high) == (7.0, 7.0, 7.0)


@given(scores, st.floats(-100, 100))
def test_a_shift_moves_everything_alike(values: list[float], shift: float) -> None:
    before, after = seed_mean(values), seed_mean([value + shift for value in values])
    assert before.low is not None
    assert after.low is not None
    # The values are up to 1e4 and the half-width is a difference of such: rounding near 1e-8.
    assert after.mean - before.mean == pytest.approx(shift, abs=1e-7)
    assert after.low - before.low == pytest.approx(shift, abs=1e-7)
