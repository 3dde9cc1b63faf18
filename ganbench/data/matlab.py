"""Plain arrays of real numbers out of a MATLAB file of version 5 or 7; everything is bounded.

Only what a data set needs is read. A reader of the whole format is a large piece of C, and the one
in scipy crashes on damaged files.

Source: MathWorks, "MAT-File Format", Level 5.
"""

import math
import struct
import zlib
from collections.abc import Collection
from io import BufferedIOBase
from typing import NamedTuple

import numpy as np

from ganbench.archives import LARGEST_ARRAY
from ganbench.inputs import shown

HEADER, TAG, ALIGNED = 128, 8, 8  # bytes
MATRIX, COMPRESSED = 14, 15  # kinds of elements
STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
NUMBERS = range(6, 16)  # classes of arrays: double, single and the integers
LOGICAL, COMPLEX = 0x200, 0x800  # flags
ANNOUNCED = (6, 5, 1)  # kinds of the elements of an array's flags, shape and name
LEAST = 2**16  # bytes of an element in which its type, shape and name lie


class Version73Error(ValueError):
    """The file is an HDF5 file, as version 7.3 writes them."""


class _Tag(NamedTuple):
    kind: int
    size: int  # bytes of the content
    start: int  # of the content
    end: int  # of the element, with what aligns the next


class _Array(NamedTuple):
    name: str
    flags: int
    shape: tuple[int, ...]
    start: int  # of the numbers' own element


def read_arrays(file: BufferedIOBase, names: Collection[str]) -> dict[str, np.ndarray]:
    """Returns those of the named arrays that a file has, as stored.

    Args:
        file: at its start.
        names: of arrays; others are passed over unread.

    Raises:
        ValueError: the file is none of MATLAB's, is damaged, or an array is none of real numbers or
            claims more than the file or 2 GiB hold.
        zlib.error: a compressed array is damaged.
    """
    header = file.read(HEADER)
    if header.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise Version73Error("version 7.3")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:])
    if order is None or header[124:126] not in (b"\x00\x01", b"\x01\x00"):
        raise ValueError("it does not start as one of version 5 or 7 does")
    arrays: dict[str, np.ndarray] = {}
    while tag := file.read(TAG):
        if len(tag) < TAG:
            raise ValueError("truncated")
        kind, size = struct.unpack(f"{order}II", tag)
        content = file.read(size) if size <= LARGEST_ARRAY else b""
        if len(content) < size:
            raise ValueError(f"truncated, or an element of {size:,} bytes")
        element = _Element(kind, content, order)
        array = element.array()
        if array and array.name in names:
            if array.name in arrays:
                raise ValueError(f"two arrays are called {array.name}")
            arrays[array.name] = element.numbers(array)
    return arrays


class _Element:
    """A variable of the file; of a compressed one only the head, until its numbers are wanted."""

    def __init__(self, kind: int, content: bytes, order: str) -> None:
        self.order, self.packed = order, content if kind == COMPRESSED else b""
        self.kind, self.content = kind, content
        if self.packed:
            inner = self._unpacked(LEAST)
            self.kind = _unpack(f"{order}I", inner, 0)[0]
            self.content = inner[TAG:]

    def _unpacked(self, most: int) -> bytes:
        return zlib.decompressobj().decompress(self.packed, most)

    def array(self) -> _Array | None:
        """What the element says of itself; None if it is no array that could be named."""
        if self.kind != MATRIX:
            return None
        flags = self._tag(0)
        shape = self._tag(flags.end)
        name = self._tag(shape.end)
        if (flags.kind, shape.kind, name.kind) != ANNOUNCED:
            raise ValueError("an array without flags, shape and name")
        sides = _unpack(f"{self.order}{shape.size // 4}i", self.content, shape.start)
        text = self.content[name.start : name.start + name.size].decode("latin-1")
        word = _unpack(f"{self.order}I", self.content, flags.start)[0]
        return _Array(text, word, sides, name.end)

    def numbers(self, array: _Array) -> np.ndarray:
        """The array's numbers, in MATLAB's order of columns."""
        if array.flags & 0xFF not in NUMBERS or array.flags & (LOGICAL | COMPLEX):
            raise ValueError(f"{array.name} is no plain array of real numbers")
        if any(side < 0 for side in array.shape):
            raise ValueError(f"{array.name} of shape {shown(array.shape)}")
        # No number takes more than eight bytes.
        most = array.start + TAG + 8 * math.prod(array.shape)
        if most > LARGEST_ARRAY:
            raise ValueError(f"{array.name} of shape {shown(array.shape)}")
        if self.packed:
            self.content = self._unpacked(most + TAG)[TAG:]
        tag = self._tag(array.start)
        if tag.kind not in STORED:
            raise ValueError(f"{array.name} holds numbers of kind {tag.kind}")
        stored = np.dtype(f"{self.order}{STORED[tag.kind]}")
        count = math.prod(array.shape)
        if tag.size != count * stored.itemsize or tag.start + tag.size > len(self.content):
            raise ValueError(f"{array.name} is truncated")
        values = np.frombuffer(self.content, stored, count, tag.start)
        return values.reshape(array.shape, order="F").astype(stored.newbyteorder("="), copy=False)

    def _tag(self, at: int) -> _Tag:
        """The kind, size and place of the element that starts there."""
        word, size = _unpack(f"{self.order}II", self.content, at)
        # A small one has its size, of four bytes at most, and its content in the tag itself.
        if word >> 16:
            return _Tag(word & 0xFFFF, word >> 16, at + 4, at + TAG)
        start = at + TAG
        return _Tag(word, size, start, start + -(-size // ALIGNED) * ALIGNED)


def _unpack(form: str, content: bytes, at: int) -> tuple[int, ...]:
    """Numbers at a place of the content (raises ValueError where it ends before them)."""
    if at + struct.calcsize(form) > len(content):
        raise ValueError("truncated")
    return struct.unpack_from(form, content, at)
