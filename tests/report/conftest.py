"""Makes a suite of made-up records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .synthetic import Synthetic


@pytest.fixture
def synthetic(tmp_path: Path) -> Callable[..., Synthetic]:
    """Returns a function that writes a suite (arguments as in `Synthetic`) and returns it."""

    def write(seeds: dict[str, tuple[int, ...]], **options: object) -> Synthetic:
        return Synthetic(tmp_path, seeds, **options).write()

    return write
