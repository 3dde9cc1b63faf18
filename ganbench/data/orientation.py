"""Hints for samples that look inverted or transposed: their likelihood would mislead."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.data.splits import Dataset

LOOKED_AT, KNOWN = 200, 2_000  # samples, and training images they are compared with
NEARER = 0.8  # of the distance as they are, so near must changed samples lie to be called so
REMEDIES = {"inverted": "1 - x", "transposed": "the rows first"}


def hint(rows: Float[Tensor, "n d"], data: Dataset) -> str | None:
    """Returns what is probably wrong with the samples, and the remedy; None if nothing is.

    They are compared with training images by the median distance to the nearest, as they are and
    changed. What the change does to test images is allowed for: of some data these are nearer to
    the training images when inverted.
    """
    _, channels, height, width = data.train.shape
    known = _some(data.train, KNOWN) / data.scale
    samples = rows[:LOOKED_AT].reshape(-1, channels, height, width)
    fresh = _some(data.folds[0].test, LOOKED_AT) / data.scale
    changes = {"inverted": lambda x: 1 - x}
    if height == width:
        changes["transposed"] = lambda x: x.transpose(2, 3)
    for name, change in changes.items():
        least = min(1.0, _distance(change(fresh), known) / _distance(fresh, known))
        if _distance(change(samples), known) < NEARER * least * _distance(samples, known):
            return f"they look {name}: give {REMEDIES[name]}, or read their numbers with care"
    return None


def _some(images: np.ndarray, count: int) -> Tensor:
    order = np.random.default_rng(0).permutation(len(images))[:count]
    return torch.from_numpy(images[order]).float()


def _distance(images: Tensor, known: Tensor) -> float:
    # Never 0, as that of copies would be.
    nearest = torch.cdist(images.flatten(1), known.flatten(1)).min(1).values
    return nearest.median().item() + 1e-6
