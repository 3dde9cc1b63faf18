import hashlib

import numpy as np

from ganbench.data.splits import Dataset, Fold, split_digests


def images(first: int) -> np.ndarray:
    return np.array([first, 1, 2, 3], np.uint8).reshape(1, 1, 2, 2)


def sha256(first: int) -> str:
    return hashlib.sha256(bytes([first, 1, 2, 3])).hexdigest()


def test_digests_of_one_fold_are_those_of_the_pixels():
    dataset = Dataset("digits", 16.0, images(7), None, (Fold(images(8), images(9), None),))
    assert split_digests(dataset) == {
        "train": sha256(7),
        "validation": sha256(8),
        "test": sha256(9),
    }


def test_digests_of_five_folds_are_numbered():
    folds = tuple(Fold(images(2 * f), images(2 * f + 1), None) for f in range(5))
    digests = split_digests(Dataset("tfd", 255.0, images(99), None, folds))
    assert list(digests) == [
        "train",
        *(f"{part}_{fold}" for fold in range(5) for part in ("validation", "test")),
    ]
    assert digests["validation_3"] == sha256(6)
    assert digests["test_4"] == sha256(9)


def test_digests_do_not_depend_on_the_memory_layout():
    swapped = np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2))
    fold = Fold(swapped, swapped, None)
    digests = split_digests(Dataset("cifar10", 255.0, swapped, None, (fold,)))
    assert digests["train"] == hashlib.sha256(bytes(range(24))).hexdigest()
