from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from ganbench.data.datasets import load, split_digests

NOWHERE = Path("/nonexistent")


def test_the_split_is_the_published_order():
    dataset = load("digits", NOWHERE)
    (fold,) = dataset.folds
    published = load_digits()
    parts = (dataset.train, fold.validation, fold.test)
    assert [len(part) for part in parts] == [1200, 297, 300]
    np.testing.assert_array_equal(np.concatenate(parts)[:, 0], published.images)
    np.testing.assert_array_equal(dataset.train_labels, published.target[:1200])
    np.testing.assert_array_equal(fold.test_labels, published.target[1497:])


def test_white_is_16():
    dataset = load("digits", NOWHERE)
    assert dataset.train.dtype == np.uint8
    assert dataset.scale == dataset.train.max() == 16


def test_the_split_is_the_same_everywhere():
    digests = {name: digest[:16] for name, digest in split_digests(load("digits", NOWHERE)).items()}
    assert digests == {
        "train": "a7b8b8bc577ab3d8",
        "validation": "83db34cee73afbe9",
        "test": "7f1cbfeaacf7c6c8",
    }
