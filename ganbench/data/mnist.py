"""MNIST from its four IDX files."""

from pathlib import Path

import numpy as np

from ganbench.archives import decompress, read_npz
from ganbench.catalogue import DATASETS
from ganbench.data import registry
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataError
from ganbench.inputs import open_input

TRAIN = 50_000
VALIDATION = 10_000
TEST = 10_000
# Third byte of an IDX file's magic number: its values are unsigned bytes.
IDX_UINT8 = 8
# Keras' names of what the published files hold.
KERAS = {
    "train-images-idx3-ubyte.gz": "x_train",
    "train-labels-idx1-ubyte.gz": "y_train",
    "t10k-images-idx3-ubyte.gz": "x_test",
    "t10k-labels-idx1-ubyte.gz": "y_test",
}


def load(data_dir: Path) -> Dataset:
    """Reads MNIST; the last 10,000 of the 60,000 training images are for validation.

    Raises:
        DataError: a file is missing, or is not the published one.
    """
    images, labels = _read_part(data_dir, "train", TRAIN + VALIDATION)
    test, test_labels = _read_part(data_dir, "t10k", TEST)
    fold = Fold(images[TRAIN:], test, test_labels)
    return Dataset("mnist", 255.0, images[:TRAIN], labels[:TRAIN], (fold,))


def _read_part(data_dir: Path, part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = _read_idx(data_dir, f"{part}-images-idx3-ubyte.gz", (count, 28, 28))
    labels = _read_idx(data_dir, f"{part}-labels-idx1-ubyte.gz", (count,))
    return images[:, None], labels


def _read_idx(data_dir: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    path = registry.published("mnist", name, data_dir)
    magic = bytes([0, 0, IDX_UINT8, len(shape)])
    content = _content(path, name)
    if content[:4] != magic:
        raise DataError(
            f"{path}: not an IDX file of {len(shape)}-dimensional uint8, got magic number "
            f"{content[:4].hex()}, expected {magic.hex()}; {registry.REMEDY}"
        )
    start = 4 + 4 * len(shape)
    header = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    if header != shape:
        raise DataError(f"{path}: wrong shape, got {header}, expected {shape}; {registry.REMEDY}")
    values = np.frombuffer(content, np.uint8, offset=start)
    if values.size != np.prod(shape):
        raise DataError(
            f"{path}: truncated, got {values.size} values of {np.prod(shape)}; {registry.REMEDY}"
        )
    # A copy, because an array over bytes is read-only and torch warns of those.
    return values.reshape(shape).copy()


def _content(path: Path, name: str) -> bytes:
    """The IDX file of that name: in a .gz file, unpacked, or made of Keras' arrays."""
    largest, remedy = registry.LARGEST_UNPACKED, registry.REMEDY
    if path.suffix == ".gz":
        return decompress(path, largest, remedy, DataError)
    if path.suffix != ".npz":
        with open_input(path, largest, remedy, DataError) as file:
            return file.read()
    array = read_npz(path, (KERAS[name],), remedy, DataError).get(KERAS[name])
    if array is None or array.dtype != np.uint8:
        raise DataError(f"{path}: has no array {KERAS[name]!r} of uint8; {remedy}")
    header = bytes([0, 0, IDX_UINT8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.tobytes()
    registry.check_content(path, content, DATASETS["mnist"].files[name])
    return content
