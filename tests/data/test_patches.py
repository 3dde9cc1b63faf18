"""Photographs whose colours are their pixels' coordinates prove where every patch comes from."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from ganbench.data import patches
from ganbench.data.datasets import load
from ganbench.data.splits import named_splits

NOWHERE = Path("/nonexistent")
HEIGHT, WIDTH = 427, 640
PIXELS = HEIGHT * WIDTH


@pytest.fixture
def coordinates(monkeypatch):
    """Each pixel's number over both photographs, in its three colours."""
    numbers = np.arange(2 * PIXELS).reshape(2, HEIGHT, WIDTH, 1)
    photographs = (numbers >> np.array([0, 8, 16]) & 255).astype(np.uint8)
    monkeypatch.setattr(patches, "_photographs", lambda: list(photographs))
    monkeypatch.setattr(patches, "_grey", lambda photograph: photograph)


def places(images) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photograph, row and column of each pixel of each patch, [n, side, side]."""
    numbers = images.astype(int).transpose(0, 2, 3, 1) @ [1, 1 << 8, 1 << 16]
    return numbers // PIXELS, numbers % PIXELS // WIDTH, numbers % WIDTH


def pixels(images) -> set[int]:
    return set(np.unique(images.astype(int).transpose(0, 2, 3, 1) @ [1, 1 << 8, 1 << 16]))


@pytest.mark.usefixtures("coordinates")
@pytest.mark.parametrize("name", ["patches_grey", "patches_rgb"])
def test_no_pixel_is_in_two_parts(name):
    dataset = load(name, NOWHERE)
    validations = [pixels(fold.validation) for fold in dataset.folds]
    tests = [pixels(fold.test) for fold in dataset.folds]
    train = pixels(dataset.train)
    for validation, test in zip(validations, tests, strict=True):
        assert train.isdisjoint(validation)
        assert train.isdisjoint(test)
        assert validation.isdisjoint(test)
    for first, second in combinations(tests, 2):
        assert first.isdisjoint(second)


@pytest.mark.usefixtures("coordinates")
@pytest.mark.parametrize("name", ["patches_grey", "patches_rgb"])
def test_patches_are_squares_of_the_photographs_eight_pixels_apart(name):
    for split, images in named_splits(load(name, NOWHERE)):
        photograph, row, column = places(images)
        side = images.shape[2]
        assert set(photograph.ravel()) == {0, 1}, split
        assert (photograph == photograph[:, :1, :1]).all()
        assert (row - row[:, :1, :1] == np.arange(side)[:, None]).all()
        assert (column - column[:, :1, :1] == np.arange(side)).all()
        corners = np.stack([photograph, row, column], -1)[:, 0, 0]
        assert len(np.unique(corners, axis=0)) == len(images)
        assert ((corners - corners[0])[:, 1:] % 8 == 0).all()


@pytest.mark.usefixtures("coordinates")
def test_grey_regions():
    dataset = load("patches_grey", NOWHERE)
    _, _, column = places(dataset.train)
    assert (column.min(), column.max()) == (0, 383)
    for number, fold in enumerate(dataset.folds):
        for images, band in ((fold.validation, number), (fold.test, (number + 1) % 5)):
            _, row, column = places(images)
            assert row.min() == 85 * band
            assert row.max() < 85 * (band + 1)
            assert (column.min(), column.max()) == (384, 639)


@pytest.mark.usefixtures("coordinates")
def test_rgb_regions():
    dataset = load("patches_rgb", NOWHERE)
    (fold,) = dataset.folds
    parts = {(0, 383): dataset.train, (384, 511): fold.validation, (512, 639): fold.test}
    for columns, images in parts.items():
        _, row, column = places(images)
        assert (column.min(), column.max()) == columns
        assert (row.min(), row.max()) == (0, 423)


@pytest.mark.parametrize(
    ("name", "shape", "train", "held_out"),
    [
        # Per photograph: rows of patches times patches in a row.
        ("patches_grey", (1, 48, 48), 48 * 43, 5 * 27),
        ("patches_rgb", (3, 32, 32), 50 * 45, 50 * 13),
    ],
)
def test_the_real_photographs(name, shape, train, held_out):
    dataset = load(name, NOWHERE)
    assert (dataset.name, dataset.scale, dataset.train_labels) == (name, 255.0, None)
    assert dataset.train.shape == (2 * train, *shape)
    assert dataset.train.dtype == np.uint8
    for fold in dataset.folds:
        assert fold.validation.shape == fold.test.shape == (2 * held_out, *shape)
        assert fold.test_labels is None


def test_cut_goes_row_by_row():
    photograph = np.arange(20 * 24).reshape(20, 24, 1)
    cut = patches.cut(photograph, patches.Region(2, 20, 4, 24), side=8)
    assert cut.shape == (4, 1, 8, 8)
    assert cut[:, 0, 0, 0].tolist() == [2 * 24 + 4, 2 * 24 + 12, 10 * 24 + 4, 10 * 24 + 12]


def test_grey_is_luma(monkeypatch):
    """Exact values of .299 R + .587 G + .114 B, rounded."""
    photograph = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    photograph[0, :5] = [[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 2, 3]]
    monkeypatch.setattr(patches, "_photographs", lambda: [photograph] * 2)
    image = load("patches_grey", NOWHERE).train[0, 0]
    assert image[0, :6].tolist() == [255, 76, 150, 29, 2, 0]
