"""Samplers that learn nothing, whose likelihood a model's is read beside."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

# Numbers of k-means centres, and the least number of training images per centre: MNIST's 50,000
# give both in full, fewer images give fewer centres.
CENTERS = {1_000: 50, 10_000: 5}
RIDGE = 1e-10  # of the pixels' variances together: on MNIST a standard deviation of 1e-4 a pixel
PASSES = 2  # over the training images
BATCH = 10_000
SETTINGS: dict[str, Any] = {
    "init": "random",
    "n_init": 1,
    "max_iter": PASSES,
    # Nothing ends the passes early.
    "max_no_improvement": None,
    "tol": 0.0,
    "reassignment_ratio": 0.0,
    "compute_labels": False,
}


def center_counts(images: int) -> list[int]:
    """Returns the numbers of k-means centres that so many training images allow, ascending."""
    return sorted(min(count, images // share) for count, share in CENTERS.items())


def kmeans_centers(
    images: Float[Tensor, "n d"], count: int, seed: int = 0
) -> Float[Tensor, "count d"]:
    """Returns centres of mini-batch k-means.

    They are means of similar images: nearer to unseen images than real ones are, and so likelier
    centres of a Parzen window than draws from the true distribution.

    Args:
        images: training images.
        count: centres, at most as many as images.
        seed: chooses the images that the centres start from, and the batches.

    Source: Sculley 2010 (scikit-learn); as a Parzen score: Theis et al. 2015, arXiv 1511.01844.
    """
    # Random starts from all images, not k-means++, which takes longer than the passes themselves.
    size = len(images)
    clusters = MiniBatchKMeans(
        count, init_size=size, batch_size=min(BATCH, size), random_state=seed, **SETTINGS
    )
    centers = clusters.fit(images.cpu().numpy()).cluster_centers_
    return torch.from_numpy(np.ascontiguousarray(centers)).to(images)


def gaussian_samples(
    images: Float[Tensor, "n d"], count: int, stream: torch.Generator
) -> Float[Tensor, "count d"]:
    """Returns draws from a Gaussian of the images' mean and covariance, cut to their range.

    Args:
        images: training images.
        count: draws.
        stream: source of chance, on the CPU.
    """
    # In float64: the covariance of 784 pixels is nearly singular.
    pixels = images.cpu().to(torch.float64, copy=True)
    mean = pixels.mean(dim=0)
    pixels -= mean
    covariance = pixels.T @ pixels / len(pixels)
    # Pixels that never change have no variance, and a root wants some.
    covariance.diagonal().add_(RIDGE * covariance.trace())
    root = torch.linalg.cholesky(covariance).float()
    # Noise is drawn on the CPU, so that every device gives the same samples. Cutting to the range
    # makes them images, as a network's are.
    noise = torch.randn(count, pixels.shape[1], generator=stream)
    drawn = mean.float() + noise @ root.T
    return drawn.clamp(images.min().cpu(), images.max().cpu()).to(images)


def uniform_samples(
    images: Float[Tensor, "n d"], count: int, stream: torch.Generator
) -> Float[Tensor, "count d"]:
    """Returns noise, uniform over the images' range in every pixel.

    Arguments as for `gaussian_samples`.
    """
    low, high = images.min().cpu(), images.max().cpu()
    noise = torch.rand(count, images.shape[1], generator=stream)
    return (low + (high - low) * noise).to(images)
