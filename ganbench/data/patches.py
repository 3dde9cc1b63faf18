"""Patches of scikit-learn's two sample photographs: they ship inside the package.

The photographs are split into disjoint regions before patches are cut, so that no pixel of a
training patch is ever in a validation or test patch.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganbench.data.splits import Dataset, Fold

GREY_SIDE, GREY_STRIDE = 48, 8
RGB_SIDE, RGB_STRIDE = 32, 12
HEIGHT, WIDTH = 427, 640
BANDS = 5
BAND_HEIGHT = HEIGHT // BANDS


class Region(NamedTuple):
    """A rectangle of a photograph, in pixels; the ends are not part of it."""

    top: int
    bottom: int
    left: int
    right: int


TRAIN_REGION = Region(0, HEIGHT, 0, 384)
# The grey folds' bands: fold f validates on band f and tests on the one after it.
GREY_BANDS = tuple(
    Region(band * BAND_HEIGHT, (band + 1) * BAND_HEIGHT, 384, WIDTH) for band in range(BANDS)
)
RGB_VALIDATION_REGION = Region(0, HEIGHT, 384, 512)
RGB_TEST_REGION = Region(0, HEIGHT, 512, WIDTH)


def load_grey(data_dir: Path | None = None) -> Dataset:
    """Returns 48 x 48 grey patches in five folds, arranged as TFD is.

    Args:
        data_dir: not looked at, since scikit-learn brings the photographs.
    """
    del data_dir
    photographs = [_grey(photograph) for photograph in _photographs()]
    bands = [_cut_all(photographs, band, GREY_SIDE, GREY_STRIDE) for band in GREY_BANDS]
    folds = tuple(Fold(bands[f], bands[(f + 1) % BANDS], None) for f in range(BANDS))
    train = _cut_all(photographs, TRAIN_REGION, GREY_SIDE, GREY_STRIDE)
    return Dataset("patches_grey", 255.0, train, None, folds)


def load_rgb(data_dir: Path | None = None) -> Dataset:
    """Returns 32 x 32 colour patches, arranged as CIFAR-10 is.

    Args:
        data_dir: not looked at, since scikit-learn brings the photographs.
    """
    del data_dir
    photographs = _photographs()
    train, validation, test = (
        _cut_all(photographs, region, RGB_SIDE, RGB_STRIDE)
        for region in (TRAIN_REGION, RGB_VALIDATION_REGION, RGB_TEST_REGION)
    )
    return Dataset("patches_rgb", 255.0, train, None, (Fold(validation, test, None),))


def cut(photograph: np.ndarray, region: Region, side: int, stride: int) -> np.ndarray:
    """Returns the square patches that lie inside a region.

    Args:
        photograph: [height, width, channels].
        region: where the patches lie.
        side: of a patch, pixels.
        stride: between the corners of neighbours, pixels.

    Returns:
        [n, channels, side, side], row by row.
    """
    inside = photograph[region.top : region.bottom, region.left : region.right]
    windows = np.lib.stride_tricks.sliding_window_view(inside, (side, side), axis=(0, 1))
    return windows[::stride, ::stride].reshape(-1, photograph.shape[2], side, side)


def _cut_all(photographs: list[np.ndarray], region: Region, side: int, stride: int) -> np.ndarray:
    return np.concatenate([cut(photograph, region, side, stride) for photograph in photographs])


def _photographs() -> list[np.ndarray]:
    """The two photographs, [427, 640, 3] uint8."""
    # Imported here because it costs every other data set's job a second.
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def _grey(photograph: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601 in integers, so that every machine rounds alike; keeps one channel."""
    weighted = photograph.astype(np.int32) @ np.array([299, 587, 114], np.int32)
    return ((weighted + 500) // 1000).astype(np.uint8)[:, :, None]
