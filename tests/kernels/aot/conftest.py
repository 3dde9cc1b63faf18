"""Compiles kernels for GPUs that are not there, in a process of its own."""

import importlib.util
import os
from pathlib import Path

import pytest

# The kernels cannot be imported without triton, and not compiled when they are interpreted.
MISSING = importlib.util.find_spec("triton") is None
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
REASON = (
    "needs the triton package: install ganbench[triton]"
    if MISSING
    else "needs TRITON_INTERPRET unset: pytest tests/kernels/aot"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (MISSING or INTERPRETED) and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=REASON))
