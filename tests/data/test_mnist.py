import gzip
import hashlib
import os
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganbench.catalogue import DATASETS
from ganbench.data import mnist
from ganbench.data.datasets import load, split_digests
from ganbench.data.fetch import available, fetch
from ganbench.errors import DataError, DataNotAvailableError

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
REAL_DATA = Path(os.environ.get("GANBENCH_DATA", "/nonexistent"))


def idx(array: np.ndarray, magic: int | None = None) -> bytes:
    magic = 0x800 + array.ndim if magic is None else magic
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch, publish):
    """Six training and three test images, published as MNIST."""
    monkeypatch.setattr(mnist, "TRAIN", 4)
    monkeypatch.setattr(mnist, "VALIDATION", 2)
    monkeypatch.setattr(mnist, "TEST", 3)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, start, count in (("train", 0, 6), ("t10k", 100, 3)):
        images = np.arange(start, start + count, dtype=np.uint8)[:, None, None]
        images = np.tile(images, (1, 28, 28))
        images[:, 2, 5] = 255
        labels = np.arange(count, dtype=np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{part}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(idx(array)))
            publish(path)
    return folder


def test_the_last_training_images_are_for_validation(folder):
    dataset = load("mnist", folder.parent)
    (fold,) = dataset.folds
    assert (dataset.name, dataset.scale) == ("mnist", 255.0)
    assert dataset.train.shape == (4, 1, 28, 28)
    assert dataset.train.dtype == np.uint8
    assert dataset.train[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert dataset.train_labels.tolist() == [0, 1, 2, 3]
    assert fold.validation[:, 0, 0, 0].tolist() == [4, 5]
    assert fold.test[:, 0, 0, 0].tolist() == [100, 101, 102]
    assert fold.test_labels.tolist() == [0, 1, 2]


def test_rows_come_before_columns(folder):
    assert load("mnist", folder.parent).train[3, 0, 2, 5] == 255


def test_images_can_be_written_to(folder):
    """Torch warns of read-only arrays."""
    assert load("mnist", folder.parent).train.flags.writeable


def test_missing(folder):
    path = folder / TRAIN_IMAGES
    path.unlink()
    with pytest.raises(DataNotAvailableError) as caught:
        load("mnist", folder.parent)
    assert str(caught.value) == (
        f"{path}: is missing; run 'ganbench fetch', or set GANBENCH_DATA or --data-dir to the "
        "folder that has it"
    )


def test_wrong_checksum(folder):
    path = folder / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: wrong checksum, got sha256 "):
        load("mnist", folder.parent)


def test_truncated_file(folder):
    path = folder / TRAIN_IMAGES
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError) as caught:
        load("mnist", folder.parent)
    assert str(caught.value) == (
        f"{path}: truncated, got {size - 10} bytes of {size}; delete it and run 'ganbench fetch'"
    )


IMAGES = np.zeros((6, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"these are plain bytes", "not a whole gzip file (Not a gzipped file (b'th'))"),
        (
            gzip.compress(idx(IMAGES))[:-20],
            "not a whole gzip file (Compressed file ended before the end-of-stream marker was "
            "reached)",
        ),
        (
            gzip.compress(idx(IMAGES)[:-7]),
            "truncated, got 4697 values of 4704",
        ),
        (
            gzip.compress(idx(IMAGES, magic=0xD03)),
            "not an IDX file of 3-dimensional uint8, got magic number 00000d03, expected 00000803",
        ),
        (
            gzip.compress(b""),
            "not an IDX file of 3-dimensional uint8, got magic number , expected 00000803",
        ),
        (
            gzip.compress(idx(IMAGES[:5])),
            "wrong shape, got (5, 28, 28), expected (6, 28, 28)",
        ),
        (
            gzip.compress(idx(IMAGES)[:9]),
            "wrong shape, got (6, 0, 0), expected (6, 28, 28)",
        ),
    ],
    ids=["no gzip", "cut gzip", "cut values", "float type", "empty", "five images", "cut header"],
)
def test_a_file_that_is_not_mnist(folder, publish, content, problem):
    path = folder / TRAIN_IMAGES
    path.write_bytes(content)
    publish(path)
    with pytest.raises(DataError) as caught:
        load("mnist", folder.parent)
    assert str(caught.value) == f"{path}: {problem}; delete it and run 'ganbench fetch'"


@pytest.mark.skipif(not available("mnist", REAL_DATA), reason="GANBENCH_DATA has no MNIST")
def test_the_real_files():
    """Sizes and first labels as published; digests pin the split."""
    dataset = load("mnist", REAL_DATA)
    (fold,) = dataset.folds
    assert [len(part) for part in (dataset.train, fold.validation, fold.test)] == [
        50_000,
        10_000,
        10_000,
    ]
    assert dataset.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert fold.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert {name: digest[:16] for name, digest in split_digests(dataset).items()} == {
        "train": "c80ceb24eedca80f",
        "validation": "2b079632b0defaf5",
        "test": "6d87418db22cc802",
    }


def content(folder: Path) -> dict[str, bytes]:
    """What the four files hold."""
    return {path.name: gzip.decompress(path.read_bytes()) for path in folder.glob("*.gz")}


def move(folder: Path, target: Path, files: dict[str, bytes]) -> None:
    for path in folder.glob("*.gz"):
        path.unlink()
    target.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (target / name).write_bytes(data)


@pytest.fixture
def unpacked(folder, monkeypatch):
    """The catalogue knows what the files hold, as it does of the real ones."""
    held = content(folder)
    for name, data in held.items():
        known = DATASETS["mnist"].files[name]
        digest = hashlib.sha256(data).hexdigest()
        monkeypatch.setitem(DATASETS["mnist"].files, name, replace(known, unpacked=digest))
    return held


def keras(held: dict[str, bytes]) -> dict[str, np.ndarray]:
    return {
        mnist.KERAS[name]: np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(
            np.frombuffer(data, ">u4", data[3], 4)
        )
        for name, data in held.items()
    }


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw", "MNIST/raw packed", "packed anew"])
def test_files_are_found_as_other_tools_leave_them(folder, unpacked, layout):
    expected = split_digests(load("mnist", folder.parent))
    packed = {name: gzip.compress(data, 1, mtime=7) for name, data in unpacked.items()}
    bare = {name.removesuffix(".gz"): data for name, data in unpacked.items()}
    files = packed if "packed" in layout else bare
    target = folder if layout == "packed anew" else folder.parent / layout.split()[0]
    move(folder, target, files)
    assert available("mnist", folder.parent)
    fetch("mnist", folder.parent, progress=False)
    assert split_digests(load("mnist", folder.parent)) == expected
    (target / next(iter(files))).write_bytes(b"other")
    with pytest.raises(DataError, match=r"truncated, got 5 bytes of \d+; delete it and run"):
        load("mnist", folder.parent)


@pytest.mark.parametrize("place", ["mnist.npz", "mnist/mnist.npz"])
def test_keras_archive_is_used_and_checked(folder, unpacked, place):
    expected = split_digests(load("mnist", folder.parent))
    arrays = keras(unpacked)
    move(folder, folder, {})
    np.savez(folder.parent / place, **arrays)
    fetch("mnist", folder.parent, progress=False)
    assert split_digests(load("mnist", folder.parent)) == expected
    np.savez(folder.parent / place, **arrays | {"x_train": arrays["x_train"][::-1]})
    with pytest.raises(DataError, match=r"mnist\.npz: wrong checksum, got sha256 "):
        load("mnist", folder.parent)
    np.savez(folder.parent / place, x_train=arrays["x_train"])
    with pytest.raises(DataError, match=r"mnist\.npz: has no array 'y_train' of uint8; delete"):
        load("mnist", folder.parent)
