"""One test per verdict, at the rule's boundaries, and that width never helps."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ganbench.published import PaperColumn
from ganbench.report.table1.verdicts import (
    Runs,
    cell_verdict,
    inside_prediction,
    margin,
    neighbours,
    published,
    rank,
    ranking_verdict,
)

# Five seeds around 0 with a standard deviation of 1.
SHAPE = np.array([-1.0, -0.5, 0.0, 0.5, 1.0]) / np.std([-1.0, -0.5, 0.0, 0.5, 1.0], ddof=1)
T90, T95 = (float(scipy.stats.t.ppf(q, 4)) for q in (0.95, 0.975))
NEAR = 1e-6  # nats on either side of a boundary


def runs(mean: float, deviation: float = 1.0, **changes: object) -> Runs:
    scores = tuple((mean + deviation * SHAPE).tolist())
    return Runs(
        **({"scores": scores, "diverged": 0, "available": True, "full_budget": True} | changes)
    )


def test_the_margins_are_half_the_gaps_of_table_1() -> None:
    assert (published("MNIST"), margin("MNIST")) == (225, 5.5)
    assert (published("TFD"), margin("TFD")) == (2057, 26.5)
    assert neighbours("MNIST") == (214, math.inf)
    assert neighbours("TFD") == (1909, 2110)


@pytest.mark.parametrize(("column", "own"), [("MNIST", 225.0), ("TFD", 2057.0)])
def test_reproduced_just_inside_the_margin_and_not_just_outside(
    column: PaperColumn, own: float
) -> None:
    # The 90 % interval's end is mean + t(4, .95) / sqrt 5; here at the margin's.
    room = margin(column) - T90 / math.sqrt(5)
    for sign in (1, -1):
        assert cell_verdict(runs(own + sign * (room - NEAR)), column) == "reproduced"
        assert cell_verdict(runs(own + sign * (room + NEAR)), column) == "inconclusive"


def test_four_seeds_are_too_few_to_call_it_a_match() -> None:
    same = Runs((225.0, 225.1, 224.9, 225.0), 0, True, True)
    assert cell_verdict(same, "MNIST") == "inconclusive"
    assert (
        cell_verdict(Runs((225.0, 225.1, 224.9, 225.0, 225.0), 0, True, True), "MNIST")
        == "reproduced"
    )


def test_higher_and_lower_start_where_the_wide_interval_leaves_the_margin() -> None:
    away = 5.5 + T95 / math.sqrt(5)
    assert cell_verdict(runs(225 + away + NEAR), "MNIST") == "higher"
    assert cell_verdict(runs(225 + away - NEAR), "MNIST") == "inconclusive"
    assert cell_verdict(runs(225 - away - NEAR), "MNIST") == "lower"
    assert cell_verdict(runs(225 - away + NEAR), "MNIST") == "inconclusive"


def test_three_seeds_can_be_lower_and_one_can_be_nothing() -> None:
    assert cell_verdict(Runs((100.0, 101.0, 102.0), 0, True, True), "MNIST") == "lower"
    assert cell_verdict(Runs((100.0,), 0, True, True), "MNIST") == "inconclusive"


def test_what_stands_in_the_way_comes_first() -> None:
    assert cell_verdict(runs(225, full_budget=False), "MNIST") == "budget not reached"
    assert cell_verdict(runs(225, diverged=1), "MNIST") == "seeds diverged"
    assert (
        cell_verdict(runs(225, available=False, full_budget=False), "TFD") == "data not available"
    )
    assert cell_verdict(runs(225, protocol="fine"), "MNIST") == "other protocol"
    assert ranking_verdict(runs(225, protocol="gan2014_1000_centers"), "MNIST") == "other protocol"
    assert ranking_verdict(runs(225, full_budget=False), "MNIST") == "budget not reached"


def test_the_place_is_judged_between_the_neighbours() -> None:
    assert ranking_verdict(runs(300), "MNIST") == "reproduced"
    assert ranking_verdict(runs(213, 0.1), "MNIST") == "lower"
    assert ranking_verdict(runs(214.5), "MNIST") == "inconclusive"
    assert ranking_verdict(runs(2000), "TFD") == "reproduced"
    assert ranking_verdict(runs(2200), "TFD") == "higher"
    assert [rank("TFD", score) for score in (2200, 2057, 1900, 1800)] == [1, 2, 3, 4]


@given(st.floats(150, 300), st.floats(0.01, 50), st.floats(1.0, 20))
def test_a_wider_interval_is_never_rewarded(mean: float, deviation: float, wider: float) -> None:
    narrow = cell_verdict(runs(mean, deviation), "MNIST")
    wide = cell_verdict(runs(mean, deviation * wider), "MNIST")
    assert wide in (narrow, "inconclusive")


@pytest.mark.parametrize("center", [225.0 + 5.5, 225.0 - 5.5])
def test_at_the_margin_itself_a_match_is_claimed_in_one_case_of_twenty(center: float) -> None:
    rng = np.random.default_rng(0)
    trials = 1000
    called = sum(
        cell_verdict(Runs(tuple(rng.normal(center, 2, size=5)), 0, True, True), "MNIST")
        == "reproduced"
        for _ in range(trials)
    )
    # Four standard errors of a share of 0.05; two one-sided tests err no more often than that.
    assert called / trials <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / trials)


def test_one_more_seed() -> None:
    assert inside_prediction((200.0, 260.0, 230.0), 225.0) is True
    assert inside_prediction((200.0, 201.0, 202.0), 225.0) is False
    assert inside_prediction((225.0,), 225.0) is None
