import os
from pathlib import Path

import numpy as np
import pytest

from ganbench.data import cifar10
from ganbench.data.datasets import load, split_digests
from ganbench.data.fetch import available
from ganbench.errors import DataError, DataNotAvailableError

NAMES = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
REAL_DATA = Path(os.environ.get("GANBENCH_DATA", "/nonexistent"))


def record(label: int, red: int, green: int, blue: int) -> bytes:
    """One image: a label byte, then three planes, the first pixel of the second row being 7."""
    planes = [bytearray([value] * 1024) for value in (red, green, blue)]
    planes[0][32] = 7
    return bytes([label]) + b"".join(planes)


@pytest.fixture
def folder(tmp_path, monkeypatch, publish):
    """Files of two images: eight for training, two for validation, two for testing."""
    monkeypatch.setattr(cifar10, "IMAGES_PER_FILE", 2)
    monkeypatch.setattr(cifar10, "TRAIN", 8)
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for file, name in enumerate(NAMES):
        records = [record(image, 10 * file + image, 100, 200) for image in (0, 1)]
        (folder / name).write_bytes(b"".join(records))
        publish(folder / name)
    return folder


def test_the_last_training_images_are_for_validation(folder):
    dataset = load("cifar10", folder.parent)
    (fold,) = dataset.folds
    assert (dataset.name, dataset.scale) == ("cifar10", 255.0)
    assert dataset.train.shape == (8, 3, 32, 32)
    assert dataset.train.dtype == np.uint8
    assert dataset.train[:, 0, 0, 0].tolist() == [0, 1, 10, 11, 20, 21, 30, 31]
    assert dataset.train_labels.tolist() == [0, 1] * 4
    assert fold.validation[:, 0, 0, 0].tolist() == [40, 41]
    assert fold.test[:, 0, 0, 0].tolist() == [50, 51]
    assert fold.test_labels.tolist() == [0, 1]


def test_planes_are_red_green_blue_and_rows_come_first(folder):
    image = load("cifar10", folder.parent).train[1]
    assert image[:, 31, 31].tolist() == [1, 100, 200]
    assert image[0, 1, 0] == 7


def test_missing(folder):
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataNotAvailableError, match=r"test_batch\.bin: is missing; run 'ganbench"):
        load("cifar10", folder.parent)


def test_wrong_size(folder, publish):
    path = folder / "data_batch_3.bin"
    path.write_bytes(record(0, 1, 2, 3))
    publish(path)
    with pytest.raises(DataError) as caught:
        load("cifar10", folder.parent)
    assert str(caught.value) == (
        f"{path}: wrong size, got 3073 bytes, expected 6146; delete it and run 'ganbench fetch'"
    )


@pytest.mark.skipif(not available("cifar10", REAL_DATA), reason="GANBENCH_DATA has no CIFAR-10")
def test_the_real_files():
    """Sizes and first labels as published; digests pin the split."""
    dataset = load("cifar10", REAL_DATA)
    (fold,) = dataset.folds
    assert [len(part) for part in (dataset.train, fold.validation, fold.test)] == [
        40_000,
        10_000,
        10_000,
    ]
    assert dataset.train_labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert fold.test_labels[:5].tolist() == [3, 8, 8, 0, 6]
    assert {name: digest[:16] for name, digest in split_digests(dataset).items()} == {
        "train": "c7def09c2b9fd853",
        "validation": "58e3bbf713e28357",
        "test": "177777c33ba79825",
    }
