"""Scikit-learn's 1,797 real handwritten digits, 8 x 8: they ship inside the package."""

from pathlib import Path

import numpy as np

from ganbench.data.splits import Dataset, Fold

TRAIN = 1_200
VALIDATION = 297


def load(data_dir: Path | None = None) -> Dataset:
    """Returns the digits in their published order.

    The first 1,200 are for training, the next 297 for validation, the last 300 for testing.

    Args:
        data_dir: not looked at, since scikit-learn brings them.
    """
    del data_dir
    # Imported here because it costs every other data set's job a second.
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    images = np.asarray(pixels, np.uint8).reshape(-1, 1, 8, 8)
    labels = np.asarray(target, np.uint8)
    end = TRAIN + VALIDATION
    fold = Fold(images[TRAIN:end], images[end:], labels[end:])
    return Dataset("digits", 16.0, images[:TRAIN], labels[:TRAIN], (fold,))
