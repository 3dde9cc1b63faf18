"""Anybody's samples: from a file to rows in [0, 1], refusing what is not what it should be."""

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from ganbench import seeding
from ganbench.archives import (
    DAMAGE,
    LARGEST_ARRAY,
    ZIP,
    npz_names,
    read_npy,
    read_npz,
    read_png,
)
from ganbench.errors import DataError
from ganbench.inputs import missing, open_input, reason, shown

SUFFIXES = ".npy, .npz, .pt, or a folder of .png"
ARRAY_KEY = "samples"  # of an archive with several arrays
# How a PNG of each of Pillow's modes is read; any other would lose what it holds.
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
# Pixels may leave [0, 1] by float32's rounding.
ROUNDING = 1e-6
CLIPPED = 0.05  # so far beyond [0, 1] pixels were meant to be in it
MOST_FILES = 1_000_000  # in a folder
REMEDY = "write it again, without pickled objects"


def read(path: Path) -> np.ndarray:
    """Returns the array of a file, as it is; PNGs divided by 255.

    Args:
        path: a .npy, an .npz (one array, or one called 'samples'), a .pt (a tensor, read with
            weights only), or a folder of PNGs, taken in the order of their names.

    Raises:
        DataError: it cannot be read.
    """
    if missing(path):
        raise DataError(f"{path}: cannot be read (No such file or directory); give {SUFFIXES}")
    if path.is_dir():
        return _read_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path, REMEDY, DataError)
    if suffix == ".npz":
        return _read_npz(path)
    if suffix == ".pt":
        return _read_pt(path)
    raise DataError(f"{path}: got {path.suffix or 'no suffix'}; give {SUFFIXES}")


def _read_npz(path: Path) -> np.ndarray:
    names = npz_names(path, REMEDY, DataError)
    if len(names) != 1 and ARRAY_KEY not in names:
        raise DataError(f"{path}: got arrays {shown(names)}; call the samples {ARRAY_KEY!r}")
    name = ARRAY_KEY if ARRAY_KEY in names else names[0]
    return read_npz(path, (name,), REMEDY, DataError)[name]


def _read_pt(path: Path) -> np.ndarray:
    with open_input(path, LARGEST_ARRAY, REMEDY, DataError) as file:
        try:
            if file.peek(len(ZIP))[: len(ZIP)] != ZIP:
                raise ValueError("not written by torch.save of version 1.6 or newer")
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
                if unpacked > LARGEST_ARRAY:
                    raise ValueError(f"unpacks to {unpacked:,} bytes, at most {LARGEST_ARRAY:,}")
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = torch.load(file, map_location="cpu", weights_only=True)
            if not isinstance(loaded, Tensor):
                raise DataError(f"{path}: holds a {type(loaded).__name__}; save the tensor alone")
            return tensor_values(loaded, str(path))
        # AssertionError: torch's own check of a storage's size.
        except (OSError, AssertionError, pickle.UnpicklingError, *DAMAGE) as problem:
            why = "it would run code" if "weights_only" in str(problem) else reason(problem)
            raise DataError(f"{path}: cannot be read as .pt ({why}); {REMEDY}") from None


def tensor_values(tensor: Tensor, where: str) -> np.ndarray:
    """Returns a tensor of any floating or whole type as an array of float32.

    Args:
        tensor: on any device.
        where: begins every message.

    Raises:
        DataError: it is sparse, quantized, complex, nested, without values, or too large.
    """
    plain = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    if not plain or tensor.is_complex() or tensor.is_nested:
        raise DataError(f"{where}: a tensor without plain real numbers; give x.float().cpu()")
    # A view may claim any number of elements of a small storage.
    if tensor.numel() * torch.float32.itemsize > LARGEST_ARRAY:
        raise DataError(f"{where}: shape {shown(tuple(tensor.shape))} is too large; give less")
    return tensor.detach().cpu().float().numpy()


def png_files(folder: Path) -> list[Path]:
    """Returns the PNGs of a folder in the order of their names.

    Raises:
        DataError: there are none, or some lie in its subfolders, or there are too many.
    """
    files, subfolders = [], []
    for entry in _entries(folder):
        # Not by the entry, which raises where links lead in a circle.
        if os.path.isdir(entry.path):
            subfolders.append(entry)
        elif _is_png(entry):
            files.append(Path(entry.path))
    below = next((one for one in subfolders if _holds_png(Path(one.path))), None)
    if below is not None:
        raise DataError(
            f"{folder}: has PNGs in its subfolder {shown(below.name)}; put all into one folder"
        )
    if not files:
        raise DataError(f"{folder}: holds no .png; give {SUFFIXES}")
    return sorted(files)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            first = [entry for entry, _ in zip(entries, range(MOST_FILES + 1), strict=False)]
    except OSError as problem:
        raise DataError(f"{folder}: cannot be read ({reason(problem)}); give {SUFFIXES}") from None
    if len(first) > MOST_FILES:
        raise DataError(f"{folder}: more than {MOST_FILES:,} files; give an .npy file instead")
    return first


def _is_png(entry: os.DirEntry[str]) -> bool:
    """By its name; Finder writes a file "._x.png" beside each x.png that it copies."""
    return entry.name.lower().endswith(".png") and not entry.name.startswith("._")


def _holds_png(folder: Path) -> bool:
    """Whether a folder has PNGs, however deep; links are not followed there."""
    return any(
        _holds_png(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else _is_png(entry)
        for entry in _entries(folder)
    )


def _read_folder(path: Path) -> np.ndarray:
    files = png_files(path)
    first = _read_png(files[0])
    if first.nbytes * len(files) * torch.float32.itemsize > LARGEST_ARRAY:
        raise DataError(f"{path}: {len(files):,} images of {first.shape} are too many; give fewer")
    images = np.empty((len(files), *first.shape), np.uint8)
    for number, file in enumerate(files):
        pixels = _read_png(file)
        if pixels.shape != first.shape:
            sizes = sorted({first.shape, pixels.shape})
            raise DataError(f"{path}: images of sizes {sizes}; make them all alike")
        images[number] = pixels
    return images.astype(np.float32) / 255


def _read_png(path: Path) -> np.ndarray:
    return read_png(path, MODES, "write the images again", DataError)


def rows(
    array: np.ndarray,
    shape: tuple[int, int, int],
    scale: float,
    count: int,
    where: str,
    draws: int = 1,
    shuffled: bool = False,
) -> Float32[Tensor, "n d"]:
    """Returns the first samples as rows, as the data set's images are stored (channels first).

    Args:
        array: (N, C H W), (N, C, H, W), (N, H, W, C), or where C is 1 (N, H, W) and (N, H, W, 3)
            with three equal channels.
        shape: C, H and W of the data set.
        scale: the raw value of a white pixel of the data set.
        count: how many the protocol takes.
        where: begins every message.
        draws: return up to so many times as many, as far as there are.
        shuffled: take them at random, by a fixed stream: in a file sorted by class the first are of
            few classes.

    Raises:
        DataError: shape, number or values are wrong.
    """
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: got values of type {array.dtype}; give real numbers")
    images = _channels_first(array, shape, where)
    if len(images) < count:
        raise DataError(
            f"{where}: got {len(images)} samples, the protocol takes {count}; draw more"
        )
    taken = count * min(draws, len(images) // count)
    order = np.arange(len(images))
    if shuffled:
        order = torch.randperm(len(images), generator=seeding.generator(0, "subset")).numpy()
    values = images[order[:taken]].astype(np.float32).reshape(taken, -1)
    _check_values(values, scale, where, order)
    return torch.from_numpy(values.clip(0, 1))


def _channels_first(array: np.ndarray, shape: tuple[int, int, int], where: str) -> np.ndarray:
    channels, height, width = shape
    layout = array.shape[1:]
    if layout in (shape, (channels * height * width,)):
        return array
    if layout == (height, width, channels):
        return np.moveaxis(array, 3, 1)
    if layout == (height, width) and channels == 1:
        return array
    if layout == (height, width, 3) and channels == 1 and (array == array[..., :1]).all():
        return array[..., 0]
    plain = f"(N, {height}, {width}), " if channels == 1 else ""
    raise DataError(
        f"{where}: wrong shape, got {array.shape}; give (N, {channels * height * width}), {plain}"
        f"(N, {channels}, {height}, {width}) or (N, {height}, {width}, {channels})"
    )


def _check_values(values: np.ndarray, scale: float, where: str, places: np.ndarray) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        first = places[: len(values)][wrong.any(axis=1)].min()
        raise DataError(
            f"{where}: {wrong.sum()} values are NaN or infinite, the first in sample {first}; fix "
            "the model that drew them"
        )
    low, high = float(values.min()), float(values.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise DataError(f"{where}: values from {low:g} to {high:g}; {_remedy(values, scale)}")
    if (values == values[0]).all():
        raise DataError(f"{where}: all samples are the same image; nothing can be scored")
    if high <= 1.01 / scale:
        raise DataError(
            f"{where}: values from {low:g} to {high:g}, all black; if they were divided by "
            f"{scale:g} twice, give x * {scale:g}"
        )


def _remedy(values: np.ndarray, scale: float) -> str:
    """What to do with values outside [0, 1]; a remedy that would leave other values is none."""
    low, high = float(values.min()), float(values.max())
    if low >= -CLIPPED and high <= 1 + CLIPPED:
        return "a little beyond [0, 1]: give x.clip(0, 1)"
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return "they look like [-1, 1]: give (x + 1) / 2, in [0, 1]"
    if low >= -1 - CLIPPED and high <= 1 + CLIPPED:
        return "they look like [-1, 1], and a little beyond: give ((x + 1) / 2).clip(0, 1)"
    # A dark image has low values, but then they are whole.
    whole = bool((values == values.round()).all())
    for top in sorted({scale, 255.0}):
        if low >= 0 and high <= top and (high > top / 2 or whole):
            return f"they look like 0..{top:g}: give x / {top:g}, in [0, 1]"
    return "give pixels in [0, 1]"
