"""CIFAR-10 from the six files of its binary version."""

from pathlib import Path

import numpy as np

from ganbench.data import registry
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataError
from ganbench.inputs import open_input

TRAIN = 40_000
IMAGES_PER_FILE = 10_000
IMAGE_SHAPE = (3, 32, 32)
# A record is a label byte and the image's red, green and blue planes.
RECORD_BYTES = 1 + 3 * 32 * 32


def load(data_dir: Path) -> Dataset:
    """Reads CIFAR-10; the last 10,000 of the 50,000 training images are for validation.

    Raises:
        DataError: a file is missing, or is not the published one.
    """
    batches = [_read_batch(data_dir, f"data_batch_{number}.bin") for number in range(1, 6)]
    images = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1] for batch in batches])
    test, test_labels = _read_batch(data_dir, "test_batch.bin")
    fold = Fold(images[TRAIN:], test, test_labels)
    return Dataset("cifar10", 255.0, images[:TRAIN], labels[:TRAIN], (fold,))


def _read_batch(data_dir: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    path = registry.published("cifar10", name, data_dir)
    expected = IMAGES_PER_FILE * RECORD_BYTES
    remedy = "delete it and run 'ganbench fetch'"
    with open_input(path, 2 * expected, remedy, DataError) as file:
        content = np.frombuffer(bytearray(file.read()), np.uint8)
    if content.size != expected:
        raise DataError(
            f"{path}: wrong size, got {content.size} bytes, expected {expected}; {remedy}"
        )
    records = content.reshape(IMAGES_PER_FILE, RECORD_BYTES)
    return records[:, 1:].reshape(-1, *IMAGE_SHAPE), records[:, 0].copy()
