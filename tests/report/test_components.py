"""The analysis of variance against a textbook, a loop, and its own promise in simulations."""

import math

import numpy as np
import pytest
import scipy.stats

from ganbench.report.table1.components import deviation, deviations, two_level

# Montgomery, "Design and Analysis of Experiments": strength of cloth, four looms, four draws each.
LOOMS = [[98, 97, 99, 96], [91, 90, 93, 92], [96, 95, 97, 95], [95, 96, 99, 98]]


def test_a_textbooks_looms() -> None:
    actual = two_level(LOOMS)
    # As printed: the mean square of error is 1.90, that of looms 29.73.
    assert actual.draw_variance == pytest.approx(1.90, abs=0.005)
    assert actual.seed_variance == pytest.approx((29.73 - 1.90) / 4, abs=0.005)
    assert (actual.seeds, actual.draws) == (4, 4)


def slow_mean_squares(scores: np.ndarray) -> tuple[float, float]:
    seeds, draws = scores.shape
    within = sum(
        (scores[s, d] - scores[s].mean()) ** 2 for s in range(seeds) for d in range(draws)
    ) / (seeds * (draws - 1))
    between = (
        draws * sum((scores[s].mean() - scores.mean()) ** 2 for s in range(seeds)) / (seeds - 1)
    )
    return between, within


def test_against_loops_and_the_formula_of_the_interval() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3)) + np.arange(5)[:, None]
    between, within = slow_mean_squares(scores)
    actual = two_level(scores.tolist())
    assert actual.draw_variance == pytest.approx(within)
    assert actual.seed_variance == pytest.approx((between - within) / 3)
    chi2, f = scipy.stats.chi2, scipy.stats.f
    assert actual.draw_interval == pytest.approx(
        (10 * within / chi2.ppf(0.975, 10), 10 * within / chi2.ppf(0.025, 10))
    )
    assert actual.seed_interval == pytest.approx(
        tuple(
            4 * (between - f.ppf(q, 4, 10) * within) / (3 * chi2.ppf(q, 4)) for q in (0.975, 0.025)
        )
    )
    assert deviation(actual.draw_variance) == pytest.approx(math.sqrt(within))
    assert deviations((4.0, 9.0)) == (2.0, 3.0)


def test_a_negative_component_is_cut_off_at_zero() -> None:
    actual = two_level([[1.0, 5.0], [5.0, 1.0], [1.0, 5.0]])
    assert actual.seed_variance == 0
    assert actual.seed_interval is not None
    assert actual.seed_interval[0] == 0


def test_what_cannot_be_told_apart_is_none() -> None:
    one_draw = two_level([[1.0], [2.0]])
    assert one_draw.draw_variance is one_draw.seed_variance is None
    one_seed = two_level([[1.0, 2.0, 4.0]])
    assert one_seed.draw_variance == pytest.approx(7 / 3)
    assert one_seed.seed_variance is one_seed.seed_interval is None
    assert deviation(None) is deviations(None) is None


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_a_shift_of_everything_changes_nothing(shift: float) -> None:
    moved = [[value + shift for value in one] for one in LOOMS]
    assert two_level(moved).seed_variance == pytest.approx(two_level(LOOMS).seed_variance)


@pytest.mark.parametrize(
    ("seed_sd", "draw_sd", "shape"),
    [(3.0, 1.0, (3, 5)), (0.5, 1.0, (6, 3)), (0.0, 1.0, (3, 5))],
)
def test_intervals_cover_as_often_as_they_promise(
    seed_sd: float, draw_sd: float, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    trials = 500
    draws = seeds = estimates = 0.0
    for _ in range(trials):
        effects = rng.normal(0, seed_sd, size=(shape[0], 1)) if seed_sd else np.zeros((shape[0], 1))
        actual = two_level((effects + rng.normal(0, draw_sd, size=shape)).tolist())
        assert actual.draw_interval is not None
        assert actual.seed_interval is not None
        draws += actual.draw_interval[0] <= draw_sd**2 <= actual.draw_interval[1]
        seeds += actual.seed_interval[0] <= seed_sd**2 <= actual.seed_interval[1]
        estimates += actual.draw_variance or 0.0
    # Four standard errors of a share in 500 trials; the seeds' interval is approximate.
    assert draws / trials == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / trials))
    assert seeds / trials >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / trials)
    assert estimates / trials == pytest.approx(draw_sd**2, rel=0.05)
