"""Images in two splits, and images of the data among samples."""

import numpy as np
import pytest
import torch

from ganbench.data import digits, overlaps
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataError, GanbenchError


def leaking(count: int) -> Dataset:
    """The digits in two folds, of which the second tests so many of its validation images."""
    whole = digits.load()
    (fold,) = whole.folds
    test = np.concatenate([fold.test, fold.validation[:count]])
    return Dataset("digits", 16.0, whole.train, None, (fold, Fold(fold.validation, test, None)))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_images_of_two_splits_are_counted(count: int) -> None:
    assert overlaps.shared_images(leaking(count)) == count


def test_an_image_that_is_repeated_is_counted_each_time() -> None:
    data = leaking(1)
    first, last = data.folds
    twice = np.concatenate([last.validation, last.validation[:1]])
    data = Dataset("digits", 16.0, data.train, None, (first, Fold(twice, last.test, None)))
    assert overlaps.shared_images(data) == 2


def test_more_than_one_in_a_hundred_is_a_wrong_split() -> None:
    with pytest.raises(DataError) as error:
        overlaps.shared_images(leaking(3))
    assert str(error.value) == (
        "digits: fold 1: 3 of 297 validation images are test images too; give each image to one "
        "split"
    )


@pytest.mark.parametrize("split", ["training", "validation", "test"])
def test_images_of_the_data_set_are_no_samples(split: str) -> None:
    data = digits.load()
    images = {
        "training": data.train,
        "validation": data.folds[0].validation,
        "test": data.folds[0].test,
    }
    flat = data.train.reshape(-1, 64).astype(np.float32) / 16
    samples = (flat[:500] + flat[1:501]) / 2
    # Float noise of less than half a level is no difference.
    samples[7:10] = images[split][:3].reshape(3, 64) / 16 + 0.01
    with pytest.raises(GanbenchError) as error:
        overlaps.refuse_copies(torch.from_numpy(samples.clip(0, 1)), data, "samples")
    assert str(error.value) == (
        f"samples: 3 of 500 samples are {split} images of digits, pixel by pixel; give the "
        "model's own, or --allow-copies to score them as they are"
    )
