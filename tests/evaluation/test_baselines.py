"""Samplers that learn nothing, against what defines them."""

import numpy as np
import pytest
import torch

from ganbench.evaluation.baselines import (
    center_counts,
    gaussian_samples,
    kmeans_centers,
    uniform_samples,
)


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("images", "counts"), [(50_000, [1000, 10_000]), (40_000, [800, 8000]), (1200, [24, 240])]
)
def test_mnist_has_all_centres_and_fewer_images_fewer(images: int, counts: list[int]) -> None:
    assert center_counts(images) == counts


def test_one_centre_is_the_mean_of_the_images() -> None:
    points = torch.rand(3000, 8, generator=stream())
    actual = kmeans_centers(points, 1)
    assert (actual.shape, actual.dtype) == ((1, 8), torch.float32)
    # Batches are drawn with replacement: five standard errors of the mean of two passes.
    assert actual[0].numpy() == pytest.approx(
        points.mean(dim=0).numpy(), abs=5 * (1 / 12 / 6000) ** 0.5
    )


def test_centres_are_the_same_every_time_and_lower_the_distance_to_the_images() -> None:
    points = torch.rand(2000, 8, generator=stream())
    actual = kmeans_centers(points, 50)
    assert torch.equal(actual, kmeans_centers(points, 50))
    started = points[torch.randperm(2000, generator=stream())[:50]]
    spread = [
        torch.cdist(points, centers).min(dim=1).values.square().mean()
        for centers in (actual, started)
    ]
    assert spread[0] < spread[1]


def test_a_gaussian_has_the_images_mean_and_covariance() -> None:
    factor = torch.tensor([[0.02, 0.0, 0.0], [0.01, 0.03, 0.0], [0.0, 0.02, 0.01]])
    images = 0.5 + torch.randn(500, 3, generator=stream()) @ factor.T
    actual = gaussian_samples(images, 200_000, stream()).double().numpy()
    inside = images.double().numpy()
    # Five standard errors of a mean; the covariance's cut tails lie beyond 3 standard deviations.
    assert actual.mean(axis=0) == pytest.approx(
        inside.mean(axis=0), abs=5 * 0.04 / 200_000**0.5 + 1e-5
    )
    assert np.cov(actual.T) == pytest.approx(np.cov(inside.T, ddof=0), rel=0.05, abs=2e-5)


def test_a_gaussian_and_noise_stay_in_the_images_range() -> None:
    images = torch.rand(40, 3, generator=stream()).square() - 0.5
    for sampler in (gaussian_samples, uniform_samples):
        actual = sampler(images, 5000, stream())
        assert actual.shape == (5000, 3)
        assert images.min() <= actual.min()
        assert actual.max() <= images.max()
    low, high = float(images.min()), float(images.max())
    # Five standard errors of the mean of 15,000 uniform numbers.
    assert float(actual.mean()) == pytest.approx(
        (low + high) / 2, abs=5 * (high - low) / (12 * 15_000) ** 0.5
    )
