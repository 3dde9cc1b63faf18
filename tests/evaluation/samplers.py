"""Samplers of real digits whose faults are known: what every measure must tell apart."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from sklearn.datasets import load_digits
from torch import Tensor

TRAIN = 900
# Whether a value is what a measure should say of the good, the memorising, the collapsed sampler.
Test = Callable[[float], bool]
Tells = tuple[Test, Test, Test | None]


def digits() -> tuple[Float[Tensor, "1797 64"], Tensor]:
    """Scikit-learn's digits in a shuffled order, pixels in [0, 1], and their labels."""
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.tensor(pixels / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]


def train() -> Float[Tensor, "900 64"]:
    return digits()[0][:TRAIN]


def good() -> Float[Tensor, "448 64"]:
    """Fresh draws of the true distribution, of the same size as `heldout`."""
    return digits()[0][TRAIN : TRAIN + 448]


def heldout() -> Float[Tensor, "449 64"]:
    return digits()[0][TRAIN + 448 :]


def memorising() -> Float[Tensor, "448 64"]:
    """Training images with a little noise."""
    noise = torch.randn(448, 64, generator=torch.Generator().manual_seed(1))
    return (train()[:448] + 0.02 * noise).clamp(0, 1)


def collapsed() -> Float[Tensor, "448 64"]:
    """Three images that are no training images, over and over, with a little noise."""
    noise = torch.randn(448, 64, generator=torch.Generator().manual_seed(2))
    return (heldout()[:3].repeat(150, 1)[:448] + 0.02 * noise).clamp(0, 1)


def blurred() -> Float[Tensor, "448 64"]:
    """Fresh draws, each averaged with the three nearest to it: smooth, and copies of nothing."""
    nearest = torch.cdist(good(), good()).topk(4, largest=False).indices
    return good()[nearest].mean(1)
