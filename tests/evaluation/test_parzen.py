"""The Parzen likelihood against a Gaussian's density, explicit differences and its invariants."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from ganbench.evaluation.parzen import (
    FINE,
    GAN2014,
    GMMN2015,
    PROTOCOLS,
    Bandwidth,
    choose_bandwidth,
    log_likelihoods,
    mean_and_standard_error,
    over_folds,
    refine_bandwidth,
)

# Float64 on both sides; distances by norms and products lose a few digits to cancellation.
EXACT = {"rtol": 1e-9, "atol": 1e-9}
# Float32 pixels: distances lose about 1e-5, which sigma = 0.1 multiplies by 50.
FLOAT32_NATS = 0.01
# Twice the search's tolerance of 1e-4 in log sigma.
SEARCH = 2e-4
SIGMAS = [0.1, 0.2154434690031884, 0.7, 1.0]


def rows(count: int, size: int, seed: int = 0) -> Tensor:
    """Pixels in [0, 1]."""
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(count, size, generator=stream, dtype=torch.float64)


def slow_log_likelihoods(points: Tensor, centers: Tensor, sigmas: list[float]) -> Tensor:
    """log (1/N) sum_i N(x; mu_i, sigma^2 I), one difference at a time."""
    actual = torch.empty(len(sigmas), len(points), dtype=torch.float64)
    for m, point in enumerate(points.double().numpy()):
        squares = ((point - centers.double().numpy()) ** 2).sum(1)
        for k, sigma in enumerate(sigmas):
            exponents = -squares / (2 * sigma**2)
            log_norm = len(point) * math.log(sigma * math.sqrt(2 * math.pi))
            actual[k, m] = scipy.special.logsumexp(exponents) - math.log(len(centers)) - log_norm
    return actual


@pytest.mark.parametrize("size", [1, 5, 64])
def test_one_centre_is_a_gaussians_own_density(size: int) -> None:
    points, center = rows(6, size), rows(1, size, seed=1)
    actual = log_likelihoods(points, center, SIGMAS)
    for sigma, values in zip(SIGMAS, actual, strict=True):
        gaussian = scipy.stats.multivariate_normal(center[0].numpy(), sigma**2)
        expected = torch.from_numpy(np.atleast_1d(gaussian.logpdf(points.numpy())))
        torch.testing.assert_close(values, expected, **EXACT)


def test_equal_centres_count_once() -> None:
    points, center = rows(6, 9), rows(1, 9, seed=1)
    one = log_likelihoods(points, center, SIGMAS)
    torch.testing.assert_close(log_likelihoods(points, center.repeat(7, 1), SIGMAS), one, **EXACT)


def test_two_centres_in_one_dimension_integrate_to_one() -> None:
    grid = torch.linspace(-8, 9, 20_001, dtype=torch.float64)[:, None]
    centers = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    density = log_likelihoods(grid, centers, [0.1, 1.0]).exp()
    # The trapezium rule is exact to rounding for a density that vanishes at both ends.
    total = torch.trapezoid(density, grid[:, 0], dim=1)
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("count", "size"), [(1, 3), (40, 20), (2500, 7)])
def test_against_explicit_differences(count: int, size: int) -> None:
    points, centers = rows(11, size), rows(count, size, seed=1)
    actual = log_likelihoods(points, centers, SIGMAS)
    torch.testing.assert_close(actual, slow_log_likelihoods(points, centers, SIGMAS), **EXACT)


def test_float32_images_of_the_papers_size() -> None:
    points, centers = rows(5, 784).float(), rows(2000, 784, seed=1).float()
    actual = log_likelihoods(points, centers, [0.1, 1.0])
    assert actual.dtype == torch.float64
    expected = slow_log_likelihoods(points, centers, [0.1, 1.0])
    torch.testing.assert_close(actual, expected, rtol=0, atol=FLOAT32_NATS)


def test_points_far_from_every_centre_have_a_finite_likelihood() -> None:
    points, centers = torch.ones(2, 784), torch.zeros(3, 784)
    actual = log_likelihoods(points, centers, [0.1])
    expected = -784 / 0.02 - 784 * math.log(0.1 * math.sqrt(2 * math.pi))
    assert actual.tolist() == [[pytest.approx(expected, rel=1e-6)] * 2]


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_batches_change_nothing(batch: int) -> None:
    points, centers = rows(11, 6), rows(30, 6, seed=1)
    actual = log_likelihoods(points, centers, SIGMAS, batch=batch)
    torch.testing.assert_close(actual, log_likelihoods(points, centers, SIGMAS), **EXACT)


def test_the_order_of_centres_does_not_matter_and_that_of_points_is_kept() -> None:
    points, centers = rows(11, 6), rows(30, 6, seed=1)
    actual = log_likelihoods(points, centers, SIGMAS)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_likelihoods(points, centers[order], SIGMAS), actual, **EXACT)
    torch.testing.assert_close(
        log_likelihoods(points.flip(0), centers, SIGMAS), actual.flip(1), **EXACT
    )


@pytest.mark.parametrize("size", [1, 6, 64])
def test_pixels_twice_as_large_cost_ln_2_each(size: int) -> None:
    points, centers = rows(11, size), rows(30, size, seed=1)
    actual = log_likelihoods(2 * points, 2 * centers, [2 * sigma for sigma in SIGMAS])
    expected = log_likelihoods(points, centers, SIGMAS) - size * math.log(2)
    torch.testing.assert_close(actual, expected, **EXACT)


def test_moving_everything_changes_nothing() -> None:
    points, centers = rows(11, 6), rows(30, 6, seed=1)
    actual = log_likelihoods(points + 5, centers + 5, SIGMAS)
    torch.testing.assert_close(actual, log_likelihoods(points, centers, SIGMAS), **EXACT)


def test_progress_counts_points() -> None:
    seen: list[tuple[int, int]] = []
    log_likelihoods(rows(5, 3), rows(4, 3), SIGMAS, lambda *at: seen.append(at), batch=2)
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_the_bandwidth_is_the_likeliest_of_the_grid() -> None:
    validation, centers = rows(200, 4), rows(300, 4, seed=1)
    sigmas = [0.01, 0.05, 0.1, 0.2, 0.5, 2.0]
    actual = choose_bandwidth(validation, centers, sigmas)
    means = slow_log_likelihoods(validation, centers, sigmas).mean(1)
    assert actual.log_likelihoods == pytest.approx(means.tolist(), rel=1e-9)
    assert actual.sigma == sigmas[int(means.argmax())]
    assert 0 < int(means.argmax()) < 5
    assert not actual.at_grid_edge


@pytest.mark.parametrize(
    ("sigmas", "best"), [([0.5, 1.0, 2.0], 0.5), ([0.001, 0.002, 0.005], 0.005), ([0.1], 0.1)]
)
def test_an_optimum_at_the_edge_of_the_grid_is_flagged(sigmas: list[float], best: float) -> None:
    actual = choose_bandwidth(rows(200, 4), rows(300, 4, seed=1), sigmas)
    assert (actual.sigma, actual.at_grid_edge) == (best, True)


def test_the_protocol_of_2014() -> None:
    assert GAN2014.name == "gan2014"
    assert GAN2014.samples == 10_000
    expected = [10 ** (-1 + k / 9) for k in range(10)]
    assert GAN2014.sigmas == pytest.approx(expected, rel=1e-12)
    images = rows(1500, 2)
    assert torch.equal(GAN2014.validation_images(images, folds=1), images[:1000])
    assert torch.equal(GAN2014.validation_images(images[:300], folds=1), images[:300])
    # TFD's whole folds choose their bandwidth.
    assert torch.equal(GAN2014.validation_images(images, folds=5), images)


def test_the_protocol_of_2015() -> None:
    assert GMMN2015.sigmas == pytest.approx([0.1 + 0.01 * k for k in range(21)], abs=1e-12)
    assert GMMN2015.grid(1) == GMMN2015.sigmas
    assert GMMN2015.grid(5) == pytest.approx([0.05 + 0.01 * k for k in range(21)], abs=1e-12)
    images = rows(1500, 2)
    assert torch.equal(GMMN2015.validation_images(images, folds=1), images)
    assert GMMN2015.one_sigma
    assert "leaks" in GMMN2015.note


def test_names_fix_everything() -> None:
    assert {name: protocol.name for name, protocol in PROTOCOLS.items()} == {
        name: name for name in ("gan2014", "gmmn2015", "fine")
    }
    assert GAN2014.named(10_000) == "gan2014"
    assert GAN2014.named(1000) == "gan2014_1000_centers"
    # The search starts from a grid that goes on from that of 2014 on both sides.
    assert FINE.sigmas[9:19] == pytest.approx(GAN2014.sigmas, rel=1e-12)


def best_of(values: Tensor, centers: Tensor) -> float:
    """The best of 20,000 bandwidths, one at a time but vectorised over points."""
    sigmas = np.geomspace(0.01, 1, 20_000)
    squares = torch.cdist(values, centers, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    size = values.shape[1]
    means = [
        scipy.special.logsumexp(-squares.numpy() / (2 * sigma**2), axis=1).mean()
        - size * math.log(sigma)
        for sigma in sigmas
    ]
    return float(sigmas[int(np.argmax(means))])


def test_one_centre_has_its_best_bandwidth_in_closed_form() -> None:
    # The maximum likelihood variance of an isotropic Gaussian of known mean.
    points, center = rows(60, 12), rows(1, 12, seed=1)
    expected = math.sqrt(((points - center) ** 2).mean().item())
    actual = choose_bandwidth(points, center, SIGMAS)
    fine = refine_bandwidth(points, center, SIGMAS, actual)
    assert fine.sigma == pytest.approx(expected, rel=SEARCH)
    assert not fine.at_bound
    value = log_likelihoods(points, center, [expected]).mean().item()
    assert fine.log_likelihood == pytest.approx(value, abs=1e-6)
    assert fine.log_likelihood > max(actual.log_likelihoods)


def test_the_search_finds_what_twenty_thousand_bandwidths_find() -> None:
    points, centers = rows(20, 4), rows(30, 4, seed=1)
    sigmas = GAN2014.sigmas
    fine = refine_bandwidth(points, centers, sigmas, choose_bandwidth(points, centers, sigmas))
    assert fine.sigma == pytest.approx(best_of(points, centers), rel=5e-4)


@pytest.mark.parametrize("sigmas", [[0.001, 0.002], [0.9, 2.0]])
def test_beyond_the_end_of_a_grid_the_search_goes_on(sigmas: list[float]) -> None:
    points, centers = rows(60, 12), rows(1, 12, seed=1)
    actual = choose_bandwidth(points, centers, sigmas)
    assert actual.at_grid_edge
    fine = refine_bandwidth(points, centers, sigmas, actual)
    inside = 0.001 / 10 < math.sqrt(((points - centers) ** 2).mean().item()) < 0.002 * 10
    assert fine.at_bound == (sigmas[0] == 0.001 and not inside)
    assert fine.log_likelihood > max(actual.log_likelihoods)


def test_the_search_is_never_worse_than_the_grid() -> None:
    points, centers = rows(20, 4), rows(30, 4, seed=1)
    actual = choose_bandwidth(points, centers, SIGMAS)
    high = Bandwidth(actual.sigma, [value + 1e6 for value in actual.log_likelihoods], False)
    fine = refine_bandwidth(points, centers, SIGMAS, high)
    assert (fine.sigma, fine.log_likelihood) == (actual.sigma, max(high.log_likelihoods))


def test_the_error_over_test_images_is_that_of_the_paper() -> None:
    values = 200 + 30 * rows(500, 1)[:, 0]
    mean, error = mean_and_standard_error(values)
    assert mean == pytest.approx(values.numpy().mean(), rel=1e-12)
    assert error == pytest.approx(scipy.stats.sem(values.numpy(), ddof=0), rel=1e-12)
    # Two values, by hand: std with ddof 0 is 1.
    assert mean_and_standard_error(torch.tensor([1.0, 3.0], dtype=torch.float64)) == (
        2.0,
        pytest.approx(1 / math.sqrt(2)),
    )


def test_the_error_over_folds_is_that_of_the_paper() -> None:
    means = [2057.0, 2010.5, 2100.25, 1990.0, 2080.0]
    mean, error = over_folds(means)
    assert mean == pytest.approx(sum(means) / 5, rel=1e-12)
    squares = sum((value - sum(means) / 5) ** 2 for value in means)
    assert error == pytest.approx(math.sqrt(squares / 4) / math.sqrt(5), rel=1e-12)
