"""A score against its parts computed one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ganbench.evaluation.likelihood import estimate
from ganbench.evaluation.parzen import (
    FINE,
    GAN2014,
    GMMN2015,
    Protocol,
    choose_bandwidth,
    log_likelihoods,
    refine_bandwidth,
)

SIZE, CENTERS = 6, 80
NATS = 1e-6  # float64 pixels on both sides
SMALL = {
    name: replace(one, samples=CENTERS)
    for name, one in (("gan2014", GAN2014), ("gmmn2015", GMMN2015), ("fine", FINE))
}


def images(count: int, seed: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(count, SIZE, generator=stream, dtype=torch.float64)


def folds(count: int) -> tuple[list[Tensor], list[Tensor]]:
    return [images(40, 10 + one) for one in range(count)], [
        images(50, 30 + one) for one in range(count)
    ]


@pytest.mark.parametrize("name", ["gan2014", "gmmn2015"])
def test_one_fold_on_a_grid(name: str) -> None:
    (validation,), (test,) = folds(1)
    samples, protocol = images(CENTERS, 1), SMALL[name]
    actual = estimate([validation], [test], samples, protocol)
    chosen = choose_bandwidth(validation, samples, protocol.sigmas)
    values = log_likelihoods(test, samples, [chosen.sigma])[0]
    assert (actual.protocol, actual.n_centers) == (name, CENTERS)
    assert actual.log_likelihood == pytest.approx(values.mean().item(), abs=NATS)
    assert actual.standard_error == pytest.approx(values.numpy().std() / 50**0.5, abs=NATS)
    (fold,) = actual.folds
    assert (fold.sigma, fold.sigmas) == (chosen.sigma, protocol.sigmas)
    assert fold.validation_log_likelihoods == pytest.approx(chosen.log_likelihoods, abs=NATS)
    assert (fold.n_validation, fold.n_test) == (40, 50)


def test_the_penalty_is_fine_less_grid_on_the_same_validation_images() -> None:
    (validation,), (test,) = folds(1)
    samples, protocol = images(CENTERS, 1), replace(SMALL["gan2014"], validation_limit=25)
    actual = estimate([validation], [test], samples, protocol)
    chosen = choose_bandwidth(validation[:25], samples, protocol.sigmas)
    best = refine_bandwidth(validation[:25], samples, protocol.sigmas, chosen)
    expected = best.log_likelihood - max(chosen.log_likelihoods)
    assert expected > 0
    assert actual.grid_penalty == pytest.approx(expected, abs=NATS)
    assert actual.folds[0].n_validation == 25


def test_a_searched_bandwidth_has_no_penalty_and_is_no_point_of_the_grid() -> None:
    (validation,), (test,) = folds(1)
    samples = images(CENTERS, 1)
    actual = estimate([validation], [test], samples, SMALL["fine"])
    (fold,) = actual.folds
    assert fold.sigma not in fold.sigmas
    assert actual.grid_penalty == 0
    chosen = choose_bandwidth(validation, samples, FINE.sigmas)
    assert fold.sigma == refine_bandwidth(validation, samples, FINE.sigmas, chosen).sigma
    assert 0 < fold.bandwidth_error < 1


def test_every_fold_chooses_its_own_bandwidth_under_gan2014() -> None:
    validation, test = folds(3)
    validation[2] = 3 * validation[2]
    samples = images(CENTERS, 1)
    actual = estimate(validation, test, samples, SMALL["gan2014"])
    alone = [
        estimate([one], [two], samples, SMALL["gan2014"])
        for one, two in zip(validation, test, strict=True)
    ]
    assert [fold.sigma for fold in actual.folds] == [one.folds[0].sigma for one in alone]
    assert len({fold.sigma for fold in actual.folds}) > 1
    values = [one.log_likelihood for one in alone]
    assert actual.log_likelihood == pytest.approx(np.mean(values), abs=NATS)
    assert actual.standard_error == pytest.approx(np.std(values, ddof=1) / 3**0.5, abs=NATS)
    errors = np.array([one.bandwidth_error for one in alone])
    assert actual.bandwidth_error == pytest.approx(np.sqrt((errors**2).sum()) / 3, abs=NATS)


def test_all_folds_share_one_bandwidth_under_gmmn2015() -> None:
    validation, test = folds(3)
    validation[2] = 3 * validation[2]
    samples = images(CENTERS, 1)
    actual = estimate(validation, test, samples, SMALL["gmmn2015"])
    together = choose_bandwidth(torch.cat(validation), samples, GMMN2015.grid(3))
    assert {fold.sigma for fold in actual.folds} == {together.sigma}
    assert {fold.n_validation for fold in actual.folds} == {120}
    assert actual.n_validation == 120


def tight(validation: Tensor, samples: Tensor, one_sigma: bool) -> Protocol:
    """A grid so narrow that resampled images take now this point, now that."""
    actual = estimate([validation], [validation], samples, SMALL["fine"]).folds[0].sigma
    grid = tuple(actual * step for step in (0.8, 0.9, 1.0, 1.1, 1.25))
    return Protocol("tight", CENTERS, grid, None, one_sigma=one_sigma)


def test_one_choice_for_all_folds_is_no_surer_than_of_one_of_them() -> None:
    validation, test = (3 * one for one in folds(1))
    samples = images(CENTERS, 1)
    shared, own = (
        estimate(validation, test, samples, tight(validation[0], samples, one))
        for one in (True, False)
    )
    (alone,) = {fold.bandwidth_error for fold in shared.folds}
    assert alone > 0
    assert shared.bandwidth_error == pytest.approx(alone, abs=NATS)
    assert own.bandwidth_error == pytest.approx(own.folds[0].bandwidth_error / 3**0.5, abs=NATS)
    assert (shared.n_validation, own.n_validation) == (120, 120)


def test_the_error_of_one_choice_is_that_of_the_mean_over_folds() -> None:
    """A fold near the centres and one far from them are moved in opposite directions."""
    validation, test = folds(2)
    samples = images(CENTERS, 1)
    near = samples[:50] + 0.1
    protocol = tight(torch.cat(validation), samples, one_sigma=True)
    actual = estimate(validation, [near, test[1] + 0.3], samples, protocol)
    moved = np.array([fold.resampled for fold in actual.folds])
    expected = moved.mean(axis=0).std(ddof=1)
    assert actual.bandwidth_error == pytest.approx(expected, abs=NATS)
    assert 0 < expected < min(fold.bandwidth_error for fold in actual.folds)


def test_resampled_validation_images_move_the_score_only_where_they_move_the_bandwidth() -> None:
    (validation,), (test,) = folds(1)
    samples = images(CENTERS, 1)
    far_apart = Protocol("two", CENTERS, (0.3, 3.0), None)
    assert estimate([validation], [test], samples, far_apart).bandwidth_error == 0
    best = estimate([validation], [test], samples, SMALL["fine"]).folds[0].sigma
    # Two bandwidths that these images find equally good: resamples take either.
    equal = replace(far_apart, sigmas=(best / 1.4, best, best * 1.4))
    assert estimate([validation[:8]], [test], samples, equal).bandwidth_error > 0


def test_a_smaller_number_of_centres_is_another_protocol() -> None:
    (validation,), (test,) = folds(1)
    actual = estimate([validation], [test], images(20, 1), SMALL["gan2014"])
    assert (actual.protocol, actual.n_centers) == ("gan2014_20_centers", 20)


def test_a_copy_of_the_test_images_wins_and_far_samples_are_at_the_grids_edge() -> None:
    (validation,), (test,) = folds(1)
    copied = estimate([validation], [test], test, SMALL["gan2014"])
    other = estimate([validation], [test], images(50, 1), SMALL["gan2014"])
    assert copied.log_likelihood > other.log_likelihood
    far = estimate([validation], [test], images(50, 1) + 40, SMALL["gan2014"]).folds[0]
    assert far.at_grid_edge
    assert far.penalty_at_bound
