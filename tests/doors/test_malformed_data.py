"""Malformed data directories, in every layout that is read, and malformed folders of PNGs."""

import gzip
import hashlib
import io
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from ganbench.catalogue import DATASETS, DataFile
from ganbench.data import mnist
from ganbench.data.datasets import load

from .hostile import HOSTILE_NPZ, HOSTILE_PNG, NO_FILES, Case, Content, all_refused, npz, png, put

PNG_FOLDER = ["score", "--dataset", "digits", "--device", "cpu", "--samples", "{folder}/png"]
PARTS = {"train": 6, "t10k": 3}  # images of the small MNIST


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def arrays() -> dict[str, np.ndarray]:
    """A small MNIST by Keras' names."""
    drawn = np.random.default_rng(0)
    made = {}
    for part, name in (("train", "train"), ("t10k", "test")):
        images = drawn.integers(0, 256, (PARTS[part], 28, 28), np.uint8)
        made |= {f"x_{name}": images, f"y_{name}": np.arange(PARTS[part], dtype=np.uint8)}
    return made


ARRAYS = arrays()
UNPACKED = {name: idx(ARRAYS[key]) for name, key in mnist.KERAS.items()}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in UNPACKED.items()}


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def keras(**changes: np.ndarray | None) -> bytes:
    wanted = {name: one for name, one in (ARRAYS | changes).items() if one is not None}
    return npz({f"{name}.npy": npy(one) for name, one in wanted.items()})


SINGLE = [layout for layout in ("mnist/{file}", *DATASETS["mnist"].layouts) if "file" in layout] + [
    layout for layout in DATASETS["mnist"].layouts if "unpacked" in layout
]
KERAS = [layout for layout in DATASETS["mnist"].layouts if layout.endswith(".npz")]


def files(layout: str) -> dict[str, bytes]:
    """A sound data directory in a layout."""
    if layout.endswith(".npz"):
        return {layout: keras()}
    return {
        layout.format(file=name, unpacked=name.removesuffix(".gz")): (
            PACKED[name] if "{file}" in layout else UNPACKED[name]
        )
        for name in UNPACKED
    }


def damages(content: bytes, other: bytes) -> list[Content]:
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    return [
        b"", b"x", content[:4], content[:middle], content[:-1], flipped, other,
        gzip.compress(content), gzip.compress(bytes(65 * 2**20)), b"\x1f\x8b" + bytes(20),
        b"\x00\x00\x0d\x03" + content[4:], b"<html>404</html>",
*NO_FILES,
    ]  # fmt: skip


def write(folder: Path, sound: dict[str, bytes], name: str, content: Content) -> None:
    for other, right in sound.items():
        if other != name:
            put(folder / "data" / other, right)
    put(folder / "data" / name, content)


def data_case(dataset: str, sound: dict[str, bytes], name: str, content: Content) -> Case:
    prepare = partial(write, sound=sound, name=name, content=content)
    return Case(f"{name} {str(content)[:50]}", ["load", dataset, "{folder}/data"], prepare, (3,))


def mnist_cases() -> Iterator[Case]:
    for layout in SINGLE:
        sound = files(layout)
        names = list(sound)
        for name, other in zip(names[:2], names[2:], strict=True):
            for content in damages(sound[name], sound[other]):
                yield data_case("mnist", sound, name, content)
            if not name.endswith(".gz"):
                long = sound[name][:4] + b"\x7f\xff\xff\xff" + sound[name][8:]
                yield data_case("mnist", sound, name, long)
    x, y = ARRAYS["x_train"], ARRAYS["y_train"]
    hostile: list[Content] = [
        *HOSTILE_NPZ, *NO_FILES, keras(x_train=None), keras(y_test=None), keras(x_train=x + 1),
        keras(x_train=x.astype(float)), keras(x_train=x[:-1]), keras(y_train=y[::-1]),
        keras(x_train=y), keras(y_train=np.array(list("abcdef"))), keras(x_train=x[..., None]),
        keras(x_train=x[:0]), keras(x_train=np.array(1, np.uint8)),
    ]  # fmt: skip
    for layout in KERAS:
        for content in hostile:
            yield data_case("mnist", files(layout), layout, content)


def cifar_cases() -> Iterator[Case]:
    layouts = ("cifar10/{file}", *DATASETS["cifar10"].layouts)
    names = [layout.format(file="data_batch_1.bin") for layout in layouts]
    for name in names:
        for content in damages(bytes(3073), b"x"):
            yield data_case("cifar10", {}, name, content)


def faces(**changes: Any) -> dict[str, Any]:
    """Arrays as TFD has them, with some in others' places; None leaves one out."""
    count = 150
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 48), np.uint8)
    labelled = (np.arange(count - 100)[:, None] + np.arange(5)) % 2 + 2
    folds = np.concatenate([np.zeros((100, 5)), labelled]).astype(np.uint8)
    made = {"images": images, "folds": folds, "labs_ex": np.arange(count) % 7 + 1}
    changed = {name: change(made[name]) for name, change in changes.items() if change}
    return {name: one for name, one in (made | changed).items() if changes.get(name, 0) is not None}


def at(place: Any, value: Any, dtype: Any = None) -> Any:
    def change(array: np.ndarray) -> np.ndarray:
        copy = array.astype(dtype or array.dtype)
        copy[place] = value
        return copy

    return change


# What may be wrong with arrays that are read well: types, shapes, values, images that are none.
WRONG_FACES: list[dict[str, Any]] = [
    {"images": None}, {"folds": None}, {"images": lambda x: x.astype(float)},
    {"images": lambda x: x.astype(complex)}, {"images": lambda x: x > 9},
    {"images": lambda x: x[:0]}, {"images": lambda x: x[:-1]}, {"images": lambda x: x[0]},
    {"images": lambda x: x * 0}, {"images": at(slice(0, 100), 0)},
    {"images": at(slice(100, 150), 0)}, {"images": lambda x: x[:, :, :47]},
    {"images": lambda x: x.astype("U3")},
    {"folds": lambda f: f.astype(complex)}, {"folds": lambda f: f + 1j},
    {"folds": at((0, 0), np.nan, float)}, {"folds": at((0, 0), np.inf, float)},
    {"folds": at((0, 0), 4)}, {"folds": at((0, 0), -1, int)}, {"folds": at((0, 0), 0.5, float)},
    {"folds": lambda f: f.astype("U1")}, {"folds": lambda f: f > 0}, {"folds": lambda f: f * 0},
    {"folds": lambda f: f[:, :4]}, {"folds": lambda f: f.T}, {"folds": lambda f: f.ravel()},
    {"folds": at(slice(None, 99), 1)}, {"folds": at((slice(None), 0), 2)},
    {"folds": at((slice(102, 150), 3), 1)}, {"folds": lambda f: f[:0]},
]  # fmt: skip
WRONG_LABELS: list[dict[str, Any]] = [
    {"labs_ex": lambda y: y + 1j}, {"labs_ex": at(slice(None), np.nan, float)},
    {"labs_ex": lambda y: y * 0}, {"labs_ex": lambda y: y + 7}, {"labs_ex": lambda y: y[:-1]},
    {"labs_ex": lambda y: y.astype("U3")}, {"labs_ex": lambda y: y + 0.5},
    {"images": lambda x: csc_matrix(x[:, 0])}, {"folds": lambda f: csc_matrix(f)},
    {"folds": lambda f: {"a": f}}, {"images": lambda x: np.array([x, "x"], object)},
]  # fmt: skip


# Bytes that say what a file and its first array are; others are text, padding or pixels.
MAT_HEADER = (124, 126, 128, 132, 136, 140, 144, 152, 156, 160, 164, 168, 178, 180, 184, 192)


def mat(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content)
    return buffer.getvalue()


def faces_npz(content: dict[str, Any]) -> bytes:
    return npz({f"{name}.npy": npy(one) for name, one in content.items() if name != "labs_ex"})


def faces_cases() -> Iterator[Case]:
    sound = faces_npz(faces())
    wrong = [faces_npz(faces(**changes)) for changes in WRONG_FACES]
    cut = [sound[:end] for end in range(0, len(sound), len(sound) // 8)]
    for content in (*wrong, *cut, *HOSTILE_NPZ, *NO_FILES):
        yield data_case("faces48", {}, "faces48/faces48.npz", content)
    sound = mat(faces())
    wrong = [mat(faces(**changes)) for changes in (*WRONG_FACES, *WRONG_LABELS)]
    cut = [sound[:end] for end in (*range(0, 260, 20), *range(0, len(sound), len(sound) // 8))]
    flipped = [sound[:at] + b"\xff" + sound[at + 1 :] for at in MAT_HEADER]
    hdf5 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400)
    for content in (*wrong, *cut, *flipped, hdf5, b"\x89HDF\r\n\x1a\n", *NO_FILES):
        yield data_case("tfd", {}, "tfd/TFD_48x48.mat", content)


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


def png_cases() -> Iterator[Case]:
    sound = {"a.png": png(), "b.PNG": png()}
    folders: list[dict[str, Content]] = [
        {}, {"a.txt": b"x"}, {"._a.png": png()}, {"below/a.png": png()}, {"a.jpg": picture("JPEG")},
        sound | {"below/c.png": png()}, sound | {"below/below/c.PNG": png()},
        sound | {"c.png": png(size=(9, 8))}, sound | {"c.png": png("RGB")}, sound,
        sound | {"c.png": picture("GIF")}, sound | {"c.png": picture("EPS")},
        sound | {"\x1b[31m.png": b"x"}, sound | {"a\nb.png": b"x"},
        sound | {"b" * 250 + ".png": b""},
        *(sound | {"c.png": content} for content in (*HOSTILE_PNG, *NO_FILES[:-1])),
        *({"a.png": content} for content in HOSTILE_PNG),
    ]  # fmt: skip
    for content in folders:

        def prepare(folder: Path, content: dict[str, Content] = content) -> None:
            (folder / "png").mkdir()
            for name, one in content.items():
                put(folder / "png" / name, one)

        yield Case(f"PNGs {str(content)[-60:]}", PNG_FOLDER, prepare, (3,))


ALL = [*mnist_cases(), *cifar_cases(), *faces_cases(), *png_cases()]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six training and three test images count as MNIST."""
    monkeypatch.setattr("ganbench.data.overlaps.shared_images", lambda _: 0)
    # The first case is not to pay for the import of torch.
    import ganbench.api  # noqa: F401

    for name, count in (("TRAIN", 4), ("VALIDATION", 2), ("TEST", 3)):
        monkeypatch.setattr(mnist, name, count)
    for name, content in PACKED.items():
        digests = (hashlib.sha256(one).hexdigest() for one in (content, UNPACKED[name]))
        monkeypatch.setitem(DATASETS["mnist"].files, name, DataFile(len(content), *digests))


@pytest.mark.parametrize("layout", [*SINGLE, *KERAS])
def test_a_sound_directory_is_no_case(layout: str, tmp_path: Path) -> None:
    for name, content in files(layout).items():
        put(tmp_path / name, content)
    assert load("mnist", tmp_path).train.shape == (4, 1, 28, 28)


def test_sound_faces_are_no_case(tmp_path: Path) -> None:
    put(tmp_path / "tfd/TFD_48x48.mat", mat(faces()))
    put(tmp_path / "faces48/faces48.npz", faces_npz(faces()))
    assert all(len(load(name, tmp_path).train) == 100 for name in ("tfd", "faces48"))


def test_every_malformed_data_set_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    all_refused(tmp_path, ALL, capsys)
