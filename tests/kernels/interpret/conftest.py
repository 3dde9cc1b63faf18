"""Runs every Triton kernel in Triton's interpreter, on fresh memory full of NaN.

In a process of its own: TRITON_INTERPRET has to be set before the kernels are imported, and a read
outside a tensor ends the process.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
import torch

COMMAND = "TRITON_INTERPRET=1 pytest tests/kernels/interpret"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = ""
    if importlib.util.find_spec("triton") is None:
        reason = "needs the triton package: install ganbench[triton]"
    elif os.environ.get("TRITON_INTERPRET") != "1":
        reason = f"needs a process of its own: {COMMAND}"
    for item in items:
        if reason and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def unwritten_memory_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element that no kernel writes, or one read before it is written, shows."""
    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, _poisoned(getattr(owner, name)))


def _poisoned(allocate: Any) -> Any:
    def poison(*args: Any, **kwargs: Any) -> torch.Tensor:
        fresh = allocate(*args, **kwargs)
        return fresh.fill_(torch.nan if fresh.is_floating_point() else 77)

    return poison
