"""Samples that copy no image."""

import numpy as np

from ganbench.data import digits

COUNT = 500


def averages(count: int = COUNT) -> np.ndarray:
    """Means of two training images: no image of the data set."""
    images = digits.load().train.reshape(-1, 64).astype(np.float32) / 16
    return ((images[:count] + images[1 : count + 1]) / 2).astype(np.float32)
