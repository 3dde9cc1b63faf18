"""Propositions 1 and 2: trained discriminators, descent in p_g, and a parametric G."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.theory import descent
from ganbench.theory import optimal_discriminator as proposition
from ganbench.theory.config import Descent, OptimalDiscriminator
from ganbench.theory.densities import Normal
from ganbench.theory.divergences import jensen_shannon_normal
from ganbench.theory.families import LOG_4
from ganbench.theory.networks import Perceptron

EXACT = 1e-12  # sums of a few hundred float64 terms of order one
NET = Perceptron((1, 16, 16, 1), "tanh")
probabilities = st.lists(st.floats(0.01, 1), min_size=4, max_size=12)
few = settings(max_examples=15, deadline=None, derandomize=True)


def normalised(values):
    array = np.array(values)
    return array / array.sum()


def test_loss_is_minus_the_value_function():
    points = proposition.exact_points(Normal(0.0, 1.0), Normal(2.0, 1.0), "cpu")
    undecided = torch.zeros(1, NET.size, dtype=torch.float64)
    assert points.loss(NET, undecided).item() == pytest.approx(LOG_4, abs=1e-6)


def test_training_to_convergence_gives_the_optimal_discriminator_and_its_value():
    data, made = Normal(1.0, 0.7), Normal(-0.5, 1.0)
    points = proposition.exact_points(data, made, "cpu")
    parameters = proposition.fit(NET, points, iterations=150, seed=0)
    assert proposition.largest_error(NET, parameters, data, made) < proposition.BOUND
    points = proposition.exact_points(Normal(0.0, 1.0), Normal(1.0, 1.0), "cpu")
    value = -points.loss(NET, proposition.fit(NET, points, iterations=40, seed=0)).item()
    assert value == pytest.approx(-LOG_4 + 2 * jensen_shannon_normal(1.0), abs=1e-4)


def test_the_error_is_taken_only_where_a_density_is_visible():
    data, made = Normal(0.0, 0.5), Normal(0.5, 0.5)
    undecided = torch.zeros(1, NET.size, dtype=torch.float64)
    edge = 0.5 + np.sqrt(2 * np.log(100)) * 0.5  # where the right density is at 1 % of its peak
    expected = abs(1 / (1 + np.exp(2 * edge - 0.5)) - 0.5)
    actual = proposition.largest_error(NET, undecided, data, made)
    assert actual == pytest.approx(expected, abs=2e-3)  # the grid steps by 0.02


def test_sampled_points_are_reproducible_and_weigh_one_together():
    one, again = (proposition.sampled_points(Normal(), Normal(2.0), 50, 3, "cpu") for _ in range(2))
    assert torch.equal(one.real, again.real)
    assert not torch.equal(one.real, one.fake)
    assert one.real_weight.sum().item() == pytest.approx(1)


def test_the_study_reports_handicaps_that_do_worse():
    small = OptimalDiscriminator(
        kind="optimal_discriminator",
        width=16,
        iterations=150,
        dropout_steps=50,
        dropout_rate=0.01,
        sample_sizes=(32, 512),
        sample_iterations=20,
    )
    actual = proposition.study(small, [0], "cpu")
    errors = {}
    for metric in actual.metrics:
        if metric.name == "discriminator_error":
            errors.setdefault(metric.labels["variant"], []).append(metric.value)
    assert max(errors["exact"]) < 0.1
    for handicap in ("dropout", "small", "few"):
        assert min(errors[handicap]) > 3 * max(errors["exact"])
    few_samples, many_samples = actual.arrays["sample_errors"]
    claims = {m.name: m.value for m in actual.metrics if "bound" in m.labels}
    assert claims["more_samples_help"] == many_samples.mean() / few_samples.mean()
    for handicap in ("dropout", "small", "few"):
        assert claims[f"handicap_{handicap}"] == min(errors[handicap])


@few
@given(probabilities, st.floats(0.05, 1), st.integers(0, 2**32 - 1))
def test_descent_never_rises_and_keeps_its_rate(values, step, seed):
    target = normalised(values)
    start = normalised(np.random.default_rng(seed).uniform(0.01, 1, len(values)))
    path = descent.descend(target, start, step, 60)
    assert np.diff(path.best_values).max() <= EXACT
    bound = np.sum(target * np.log(target / start)) / (step * np.arange(1, 61))
    assert (path.best_values[1:] + LOG_4 <= bound + EXACT).all()
    assert path.densities.sum(axis=1) == pytest.approx(1, abs=EXACT)


def test_a_full_step_is_the_average_with_the_data():
    target, start = normalised([1, 2, 3, 4]), normalised([4, 1, 1, 1])
    path = descent.descend(target, start, 1.0, 1)
    np.testing.assert_allclose(path.densities[1], (target + start) / 2, rtol=EXACT)


def test_the_slope_in_p_g_is_the_derivative_of_the_best_value():
    target, made = normalised([1, 2, 3, 4]), normalised([4, 1, 1, 1])
    direction, nudge = np.array([1.0, -1.0, 0.5, -0.5]), 1e-6
    high, low = (descent.best_value_on_grid(target, made + s * nudge * direction) for s in (1, -1))
    slope = np.log(made) - np.log(target + made)
    assert (high - low) / (2 * nudge) == pytest.approx(slope @ direction, abs=1e-8)


@few
@given(probabilities)
def test_best_value_on_a_grid_is_minus_log_4_at_the_data(values):
    target = normalised(values)
    assert descent.best_value_on_grid(target, target) == pytest.approx(-LOG_4, abs=EXACT)
    assert descent.best_value_on_grid(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.0


@pytest.mark.parametrize("mean", [-5.0, -3.0, 0.5, 2.0, 3.5])
def test_the_parametric_slope_is_the_derivative_of_the_best_value(mean):
    high, low = (descent.parametric_best_value(mean + side * 1e-4) for side in (1, -1))
    assert descent.parametric_slope(mean) == pytest.approx((high - low) / 2e-4, abs=1e-5)


def test_the_study_shows_convergence_and_a_start_that_sticks():
    actual = descent.study(
        Descent(kind="descent", step=0.5, steps=60, parametric_step=0.3, parametric_steps=60),
        [0],
        "cpu",
    )
    claims = {m.name: m for m in actual.metrics if "bound" in m.labels}
    assert claims["descent_converges"].value < 1e-3
    assert claims["descent_monotone"].value <= EXACT
    assert claims["parametric_can_stick"].value > 0.1
