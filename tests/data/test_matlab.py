"""Our small reader of MATLAB files against scipy's; damaged ones are in tests/doors."""

import io
import struct

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from ganbench.data import matlab

TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def written(arrays: dict[str, np.ndarray], compressed: bool) -> io.BytesIO:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=compressed)
    file.seek(0)
    return file


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_those_that_scipy_reads(compressed: bool) -> None:
    drawn = np.random.default_rng(0)
    arrays = {f"a_{one}": drawn.integers(0, 99, (7, 5, 3)).astype(one) for one in TYPES}
    # A name, and numbers, of so few bytes lie in the tag itself.
    arrays |= {"b": np.ones((1, 2), np.uint8), "empty": np.zeros((0, 3))}
    others = {"text": np.array("x"), "cell": np.array([1, "x"], object), "unread": np.ones(2)}
    file = written(arrays | others, compressed)
    actual = matlab.read_arrays(file, arrays.keys())
    file.seek(0)
    expected = loadmat(file)
    assert actual.keys() == arrays.keys()
    for name, array in actual.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])


def test_the_other_order_of_bytes() -> None:
    parts = [
        struct.pack(">IIII", 6, 8, 6, 0),
        struct.pack(">IIii", 5, 8, 1, 2),
        struct.pack(">HH4s", 1, 1, b"a\0\0\0"),
        struct.pack(">IIdd", 9, 16, 1.5, -2.0),
    ]
    content = b"".join(parts)
    header = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI"
    file = io.BytesIO(header + struct.pack(">II", 14, len(content)) + content)
    assert matlab.read_arrays(file, ["a"])["a"].tolist() == [[1.5, -2.0]]


def test_an_array_twice_is_refused() -> None:
    content = written({"a": np.ones(3)}, compressed=True).getvalue()
    with pytest.raises(ValueError, match="two arrays are called a"):
        matlab.read_arrays(io.BytesIO(content + content[128:]), ["a"])
