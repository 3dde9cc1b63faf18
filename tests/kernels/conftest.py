"""Keeps the proofs apart: Triton's interpreter and its compiler need a process each.

`pytest tests` runs the plain proof only; the others run when their folder is named.
"""

from pathlib import Path

import pytest

OWN_PROCESS = ("interpret", "aot")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    folder = Path(__file__).parent
    if collection_path.parent != folder or collection_path.name not in OWN_PROCESS:
        return None
    named = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    asked = any(path.is_relative_to(collection_path) for path in named)
    return None if asked else True
