"""Makes suites of made-up records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganbench.report.build import build

from .synthetic import Synthetic


@pytest.fixture
def synthetic(tmp_path: Path) -> Callable[..., Synthetic]:
    """Returns a function that writes a suite (arguments as in `Synthetic`) and returns it."""

    def write(seeds: dict[str, tuple[int, ...]], **options: object) -> Synthetic:
        return Synthetic(tmp_path, seeds, **options).write()

    return write


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """A suite with everything that can happen, and its report; tests only read it."""
    suite = Synthetic(
        tmp_path_factory.mktemp("built"),
        {"mnist": (0, 1, 2), "mnist_normal": (0, 1), "tfd": (0,), "faces48": (0,)},
        scores={("mnist", 0): 210.0, ("mnist", 1): 220.0, ("mnist", 2): 236.0},
        statuses={
            ("mnist", 1): "diverged",
            ("mnist_normal", 0): "diverged",
            ("mnist_normal", 1): "diverged",
        },
        unavailable=("tfd",),
    ).write()
    build(suite.config, suite.results, suite.out)
    return suite
