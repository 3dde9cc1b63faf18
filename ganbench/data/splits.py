"""What every loader returns: images of a data set, split for training, choosing and testing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True, eq=False)
class Fold:
    """Images to choose the bandwidth on, and images to report on."""

    validation: UInt8[np.ndarray, "validation c h w"]
    test: UInt8[np.ndarray, "test c h w"]
    test_labels: UInt8[np.ndarray, " test"] | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as raw pixels, in [0, scale]; `scale` is the raw value of a white pixel."""

    name: str
    scale: float
    train: UInt8[np.ndarray, "train c h w"]
    train_labels: UInt8[np.ndarray, " train"] | None
    folds: tuple[Fold, ...]


def named_splits(dataset: Dataset) -> Iterator[tuple[str, UInt8[np.ndarray, "n c h w"]]]:
    """Yields the name and the images of each split; with several folds, names end in _0, _1 ..."""
    yield "train", dataset.train
    for index, fold in enumerate(dataset.folds):
        suffix = f"_{index}" if len(dataset.folds) > 1 else ""
        yield f"validation{suffix}", fold.validation
        yield f"test{suffix}", fold.test


def split_digests(dataset: Dataset) -> dict[str, str]:
    """Returns the sha256 of each split's raw pixels (uint8, in [n, c, h, w] order), by its name."""
    return {
        name: hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
        for name, images in named_splits(dataset)
    }
