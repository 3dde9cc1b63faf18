"""Anybody's samples: from a file to rows in [0, 1], refusing what is not what it should be."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ganbench.errors import DataError, GanbenchError

SUFFIXES = ".npy, .npz, .pt, or a folder of .png"
ARRAY_KEY = "samples"  # of an archive with several arrays
# How a PNG of each of Pillow's modes is read; any other would lose what it holds.
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
# What reading a damaged file raises; torch, for a zip file that is cut off, a RuntimeError.
DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
# Pixels may leave [0, 1] by float32's rounding.
ROUNDING = 1e-6


def read(path: Path) -> np.ndarray:
    """Returns the array of a file, as it is; PNGs divided by 255.

    Args:
        path: a .npy, an .npz (one array, or one called 'samples'), a .pt (a tensor, read with
            weights only), or a folder of PNGs, taken in the order of their names.

    Raises:
        GanbenchError: it cannot be read.
    """
    if path.is_dir():
        return _read_folder(path)
    readers = {".npy": _read_npy, ".npz": _read_npz, ".pt": _read_pt}
    if path.suffix not in readers:
        raise GanbenchError(f"{path}: got {path.suffix or 'no suffix'}; give {SUFFIXES}")
    try:
        return readers[path.suffix](path)
    except DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{path}: cannot be read as {path.suffix} ({reason}); write it again, without pickled "
            "objects"
        ) from None


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        if len(names) != 1 and ARRAY_KEY not in names:
            raise GanbenchError(
                f"{path}: got arrays {', '.join(names)}; call the samples {ARRAY_KEY!r}"
            )
        return arrays[ARRAY_KEY if ARRAY_KEY in names else names[0]]


def _read_pt(path: Path) -> np.ndarray:
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Tensor):
        raise GanbenchError(f"{path}: holds a {type(loaded).__name__}; save the tensor alone")
    return loaded.detach().float().numpy()


def _read_folder(path: Path) -> np.ndarray:
    files = sorted(path.glob("*.png"))
    if not files:
        raise GanbenchError(f"{path}: holds no .png; give {SUFFIXES}")
    images = [_read_png(file) for file in files]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise GanbenchError(f"{path}: images of sizes {sorted(shapes)}; make them all alike")
    return np.stack(images).astype(np.float32) / 255


def _read_png(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            mode = image.mode + " with transparency" * ("transparency" in image.info)
            if mode not in MODES:
                raise GanbenchError(
                    f"{path}: got an image of mode {mode}; save 8-bit grey (L) or colour (RGB)"
                )
            return np.asarray(image.convert(MODES[mode]))
    except (UnidentifiedImageError, OSError) as error:
        raise GanbenchError(f"{path.parent}: {error}; write the images again") from None


def rows(
    array: np.ndarray,
    shape: tuple[int, int, int],
    scale: float,
    count: int,
    where: str,
    draws: int = 1,
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

    Raises:
        GanbenchError: shape, number or values are wrong.
    """
    if array.dtype.kind not in "fiub":
        raise GanbenchError(f"{where}: got values of type {array.dtype}; give real numbers")
    images = _channels_first(array, shape, where)
    if len(images) < count:
        raise GanbenchError(
            f"{where}: got {len(images)} samples, the protocol takes {count}; draw more"
        )
    taken = count * min(draws, len(images) // count)
    values = images[:taken].astype(np.float32).reshape(taken, -1)
    _check_values(values, scale, where)
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
    raise GanbenchError(
        f"{where}: wrong shape, got {array.shape}; give (N, {channels * height * width}), {plain}"
        f"(N, {channels}, {height}, {width}) or (N, {height}, {width}, {channels})"
    )


def _check_values(values: np.ndarray, scale: float, where: str) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise GanbenchError(
            f"{where}: {wrong.sum()} values are NaN or infinite, the first in sample "
            f"{int(np.argmax(wrong.any(axis=1)))}; fix the model that drew them"
        )
    low, high = float(values.min()), float(values.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise GanbenchError(
            f"{where}: values from {low:g} to {high:g}; {_remedy(low, high, scale)}"
        )
    if (values == values[0]).all():
        raise GanbenchError(f"{where}: all samples are the same image; nothing can be scored")


def _remedy(low: float, high: float, scale: float) -> str:
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return "they look like [-1, 1]: give (x + 1) / 2, in [0, 1]"
    top = next((one for one in sorted({scale, 255.0}) if high <= one), None)
    if low >= 0 and top:
        return f"they look like 0..{top:g}: give x / {top:g}, in [0, 1]"
    return "give pixels in [0, 1]"
