"""Arrays from .npy, .npz, gzip and PNG files, bounded: a header's claim is checked before memory.

Nothing is ever unpickled. What a compressed file says of its size is believed only up to a limit,
and no more is decompressed than it says.
"""

import gzip
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from PIL import Image
from safetensors import SafetensorError, safe_open

from ganbench.errors import GanbenchError
from ganbench.inputs import Error, open_input, reason, shown

LARGEST_ARRAY = 2 * 2**30  # bytes: 100,000 CIFAR-10 images in float32 are half of it
LARGEST_SIDE = 4_096  # pixels of a PNG
MOST_MEMBERS = 1_000  # of an archive
KINDS = "biufcUS"  # dtypes of plain values; structures, objects and dates are none
CHUNK = 2**20
# What numpy's parser, zlib and zipfile stumble over in damaged files.
DAMAGE = (
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)
ZIP, NPY = b"PK\x03\x04", b"\x93NUMPY"


def read_npy(path: Path, remedy: str, error: Error = GanbenchError) -> np.ndarray:
    """Returns the array of a .npy file.

    Args:
        path: of the file.
        remedy: what its user can do; ends the message.
        error: what is raised.

    Raises:
        GanbenchError: it cannot be read, is damaged, or claims more than it holds or than 2 GiB.
    """
    with open_input(path, LARGEST_ARRAY + CHUNK, remedy, error) as file:
        size = path.stat().st_size
        try:
            if file.peek(len(ZIP))[: len(ZIP)] == ZIP:
                raise ValueError("it is an archive: name it .npz")
            return _array(file, size)
        except DAMAGE as problem:
            raise error(f"{path}: cannot be read as .npy ({reason(problem)}); {remedy}") from None


def read_npz(
    path: Path, names: Sequence[str] | None, remedy: str, error: Error = GanbenchError
) -> dict[str, np.ndarray]:
    """Returns arrays of a .npz file by name (other arguments as in `read_npy`).

    Args:
        path: of the file.
        names: those wanted, as far as they are there; all if None.
        remedy: ends the message.
        error: what is raised.
    """
    with _archive(path, remedy, error) as archive:
        members = _members(archive)
        wanted = members if names is None else [one for one in names if one in members]
        return {name: _member(archive, members[name]) for name in wanted}


def read_safetensors(
    path: Path, remedy: str, error: Error = GanbenchError
) -> dict[str, np.ndarray]:
    """Returns the tensors of a .safetensors file without torch (arguments as in `read_npy`)."""
    with open_input(path, LARGEST_ARRAY, remedy, error):
        try:
            with safe_open(path, framework="np") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, *DAMAGE) as problem:
            raise error(f"{path}: is damaged ({reason(problem)}); {remedy}") from None


def npz_names(path: Path, remedy: str, error: Error = GanbenchError) -> list[str]:
    """Returns the names of the arrays of a .npz file (arguments as in `read_npz`)."""
    with _archive(path, remedy, error) as archive:
        return list(_members(archive))


@contextmanager
def _archive(path: Path, remedy: str, error: Error) -> Iterator[zipfile.ZipFile]:
    """Opens a .npz file; damage that shows while it is read is an error of the user's."""
    with open_input(path, LARGEST_ARRAY + CHUNK, remedy, error) as file:
        try:
            if file.peek(len(NPY))[: len(NPY)] == NPY:
                raise ValueError("it is a single array: name it .npy")
            with zipfile.ZipFile(file) as archive:
                yield archive
        except DAMAGE as problem:
            raise error(f"{path}: cannot be read as .npz ({reason(problem)}); {remedy}") from None


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    headers = archive.infolist()
    if len(headers) > MOST_MEMBERS:
        raise ValueError(f"{len(headers):,} members, at most {MOST_MEMBERS:,}")
    members = {header.filename.removesuffix(".npy"): header for header in headers}
    if len(members) < len(headers):
        raise ValueError("two members have one name")
    return members


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if not member.filename.endswith(".npy"):
        raise ValueError(f"{shown(member.filename)} is no array")
    with archive.open(member) as file:
        array = _array(file, member.file_size)
        # Only the end of a member tells whether its checksum is right.
        if file.read(1):
            raise ValueError(f"{shown(member.filename)} goes on after its array")
        return array


def _array(file: Any, size: int) -> np.ndarray:
    """Reads an array from a file of so many bytes."""
    shape, in_columns, dtype, start = _header(file)
    if dtype.kind not in KINDS or dtype.names or dtype.subdtype:
        raise ValueError(f"values of type {shown(str(dtype))}; give plain numbers, no objects")
    if any(side < 0 for side in shape) or len(shape) > 32 or max(shape, default=0) > 2**40:
        raise ValueError(f"shape {shown(shape)}")
    claim = math.prod(shape) * dtype.itemsize
    if claim > LARGEST_ARRAY:
        raise ValueError(f"an array of {_bytes(claim)}, at most {_bytes(LARGEST_ARRAY)}")
    if claim > size - start:
        raise ValueError(f"truncated: {max(size - start, 0):,} bytes of {_bytes(claim)}")
    array = np.empty(claim, np.uint8)
    _fill(file, array.data)
    values = array.view(dtype) if claim else np.empty(0, dtype)
    values = values.reshape(shape, order="F" if in_columns else "C")
    return values.astype(dtype.newbyteorder("="), copy=False)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Returns shape, order, type, and where the values start."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    counted: Any = _Counted(file)
    version = npy.read_magic(counted)
    if version not in readers:
        raise ValueError(f"format version {version[0]}.{version[1]}; save it as version 1 or 2")
    # Numpy warns of files that Python 2 wrote, which are read all the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, in_columns, dtype = readers[version](counted)
    return shape, in_columns, dtype, counted.read_so_far


class _Counted:
    """Counts what is read, because a member of an archive cannot tell."""

    def __init__(self, file: Any) -> None:
        self.file, self.read_so_far = file, 0

    def read(self, size: int) -> bytes:
        content = self.file.read(min(size, CHUNK))
        self.read_so_far += len(content)
        return content


def _fill(file: Any, target: memoryview) -> None:
    done = 0
    while done < len(target):
        count = file.readinto(target[done : done + CHUNK])
        if not count:
            raise EOFError(f"truncated: {done:,} bytes of {len(target):,}")
        done += count


def _bytes(count: int) -> str:
    if count >= 2**70:
        return f"about 2^{count.bit_length() - 1} bytes"
    return f"{count / 1e9:,.1f} GB" if count >= 10**8 else f"{count:,} bytes"


def decompress(path: Path, largest: int, remedy: str, error: Error = GanbenchError) -> bytes:
    """Returns what a gzip file holds.

    Args:
        path: of the file.
        largest: bytes it may hold.
        remedy: ends the message.
        error: what is raised.
    """
    with open_input(path, largest, remedy, error) as packed:
        try:
            with gzip.GzipFile(fileobj=packed) as file:
                content = file.read(largest + 1)
        except (gzip.BadGzipFile, zlib.error, EOFError, struct.error) as problem:
            raise error(f"{path}: not a whole gzip file ({reason(problem)}); {remedy}") from None
    if len(content) > largest:
        raise error(f"{path}: unpacks to more than {largest:,} bytes; {remedy}")
    return content


def read_png(path: Path, modes: dict[str, str], remedy: str, error: Error) -> np.ndarray:
    """Returns the pixels of a PNG, and of nothing else.

    Args:
        path: of the file.
        modes: what each of Pillow's modes is read as; another is refused.
        remedy: ends the message.
        error: what is raised.
    """
    with open_input(path, LARGEST_ARRAY, remedy, error) as file:
        try:
            # Other formats start other programs. Whether it is too large is said below.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = Image.open(file, formats=("PNG",))
            with image:
                if max(image.size) > LARGEST_SIDE:
                    raise ValueError(f"{image.size} pixels, at most {LARGEST_SIDE} a side")
                mode = image.mode + " with transparency" * ("transparency" in image.info)
                if mode not in modes:
                    raise error(
                        f"{path}: got an image of mode {mode}; save 8-bit grey (L) or colour (RGB)"
                    )
                return np.asarray(image.convert(modes[mode]))
        # A truncated or broken image is an OSError or a SyntaxError of Pillow's.
        except (OSError, Image.DecompressionBombError, *DAMAGE) as problem:
            raise error(f"{path}: cannot be read as PNG ({reason(problem)}); {remedy}") from None
