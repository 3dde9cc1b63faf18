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


def numbers(images) -> np.ndarray:
    """The number of each pixel of each patch, [n, side, side]."""
    low, middle, high = images.astype(np.int32).transpose(1, 0, 2, 3)
    return low + (middle << 8) + (high << 16)


def covered(images) -> np.ndarray:
    """Whether each pixel of the photographs is in one of the patches."""
    mask = np.zeros(2 * PIXELS, bool)
    mask[numbers(images)] = True
    return mask


def region(images) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the photographs in the patches."""
    _, row, column = covered(images).reshape(2, HEIGHT, WIDTH).nonzero()
    return row.min(), row.max(), column.min(), column.max()


@pytest.mark.usefixtures("coordinates")
@pytest.mark.parametrize("name", ["patches_grey", "patches_rgb"])
def test_no_pixel_is_in_two_parts(name):
    dataset = load(name, NOWHERE)
    validations = [covered(fold.validation) for fold in dataset.folds]
    tests = [covered(fold.test) for fold in dataset.folds]
    train = covered(dataset.train)
    for validation, test in zip(validations, tests, strict=True):
        assert not (train & validation).any()
        assert not (train & test).any()
        assert not (validation & test).any()
    for first, second in combinations(tests, 2):
        assert not (first & second).any()


@pytest.mark.usefixtures("coordinates")
@pytest.mark.parametrize(("name", "stride"), [("patches_grey", 8), ("patches_rgb", 12)])
def test_patches_are_squares_of_the_photographs_some_pixels_apart(name, stride):
    for split, images in named_splits(load(name, NOWHERE)):
        number = numbers(images)
        corners = number[:, 0, 0]
        side = np.arange(images.shape[2])
        offsets = side[:, None] * WIDTH + side
        assert (number - corners[:, None, None] == offsets).all(), split
        assert len(np.unique(corners)) == len(corners)
        photograph, row, column = np.unravel_index(corners, (2, HEIGHT, WIDTH))
        assert set(photograph) == {0, 1}
        assert not ((row - row[0]) % stride).any()
        assert not ((column - column[0]) % stride).any()


@pytest.mark.usefixtures("coordinates")
def test_grey_regions():
    """Patches of 48 pixels in bands of 85 rows: the last one begins in row 32 of its band."""
    dataset = load("patches_grey", NOWHERE)
    assert region(dataset.train) == (0, 423, 0, 383)
    for number, fold in enumerate(dataset.folds):
        for images, band in ((fold.validation, number), (fold.test, (number + 1) % 5)):
            assert region(images) == (85 * band, 85 * band + 79, 384, 639)


@pytest.mark.usefixtures("coordinates")
def test_rgb_regions():
    dataset = load("patches_rgb", NOWHERE)
    (fold,) = dataset.folds
    # The last patch begins in row 384 of 395 possible ones, and in column 348 of 352 or 96 of 96.
    assert region(dataset.train) == (0, 415, 0, 379)
    assert region(fold.validation) == (0, 415, 384, 511)
    assert region(fold.test) == (0, 415, 512, 639)


@pytest.mark.parametrize(
    ("name", "shape", "train", "held_out"),
    [
        # Per photograph: rows of patches times patches in a row.
        ("patches_grey", (1, 48, 48), 48 * 43, 5 * 27),
        ("patches_rgb", (3, 32, 32), 33 * 30, 33 * 9),
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
    cut = patches.cut(photograph, patches.Region(2, 20, 4, 24), side=8, stride=8)
    assert cut.shape == (4, 1, 8, 8)
    assert cut[:, 0, 0, 0].tolist() == [2 * 24 + 4, 2 * 24 + 12, 10 * 24 + 4, 10 * 24 + 12]


def test_grey_is_luma(monkeypatch):
    """Exact values of .299 R + .587 G + .114 B, rounded."""
    photograph = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    photograph[0, :5] = [[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 2, 3]]
    monkeypatch.setattr(patches, "_photographs", lambda: [photograph] * 2)
    image = load("patches_grey", NOWHERE).train[0, 0]
    assert image[0, :6].tolist() == [255, 76, 150, 29, 2, 0]
