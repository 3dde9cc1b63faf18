"""Resampled bandwidths and growing samples against loops that do one thing at a time."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganbench.evaluation.parzen import Protocol, choose_bandwidth, log_likelihoods
from ganbench.evaluation.uncertainty import resampled_choices, samples_curve

GRID = (0.05, 0.1, 0.2, 0.4)
PROTOCOL = Protocol("tiny", 100, GRID, None)
NATS = 1e-9  # float64 on both sides


def images(count: int, seed: int, size: int = 5) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(count, size, generator=stream, dtype=torch.float64)


def test_a_clear_best_is_always_chosen() -> None:
    matrix = torch.tensor([[0.0, 1.0], [5.0, 6.0], [1.0, 1.0]], dtype=torch.float64)
    assert resampled_choices(matrix) == [1] * 200


def test_images_that_disagree_are_chosen_as_often_as_chance_has_it() -> None:
    # Row 0 wins where image 0 is drawn more often than image 1; ties go to row 0.
    matrix = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    share = np.mean(resampled_choices(matrix, 20_000))
    # Both of two draws are image 1 in a quarter of the resamples; five standard errors.
    assert share == pytest.approx(0.25, abs=5 * math.sqrt(0.25 * 0.75 / 20_000))


def test_against_a_bootstrap_by_hand() -> None:
    matrix = torch.randn(4, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    actual = np.bincount(resampled_choices(matrix, 20_000), minlength=4) / 20_000
    rng, slow = np.random.default_rng(1), np.zeros(4)
    for _ in range(20_000):
        slow[matrix.numpy()[:, rng.integers(30, size=30)].mean(axis=1).argmax()] += 1 / 20_000
    # Five standard errors of a difference of two shares.
    assert actual == pytest.approx(slow, abs=5 * math.sqrt(2 * 0.25 / 20_000))


def test_the_same_images_always_choose_alike() -> None:
    matrix = torch.randn(4, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert resampled_choices(matrix) == resampled_choices(matrix)


def test_every_point_of_the_curve_is_a_score_of_that_many_samples() -> None:
    validation, test, samples = images(20, 1), images(25, 2), images(60, 3)
    curve = samples_curve(validation, test, samples.split([5, 15, 40]), PROTOCOL)
    assert [point.samples for point in curve] == [5, 20, 60]
    for point in curve:
        centers = samples[: point.samples]
        chosen = choose_bandwidth(validation, centers, GRID)
        values = log_likelihoods(test, centers, [chosen.sigma])[0].numpy()
        assert point.sigma == chosen.sigma
        assert point.log_likelihood == pytest.approx(values.mean(), abs=NATS)
        assert point.standard_error == pytest.approx(values.std() / 5, abs=NATS)
    assert len({point.sigma for point in curve}) > 1


def test_how_samples_are_cut_does_not_matter() -> None:
    validation, test, samples = images(20, 1), images(25, 2), images(60, 3)
    (whole,) = samples_curve(validation, test, [samples], PROTOCOL)
    *_, last = samples_curve(validation, test, iter(samples.split(7)), PROTOCOL)
    assert (last.samples, last.sigma) == (whole.samples, whole.sigma)
    assert last.log_likelihood == pytest.approx(whole.log_likelihood, abs=NATS)
