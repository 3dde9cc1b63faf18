"""One training update of each of the paper's experiments, at each precision that a CPU has."""

from collections.abc import Callable

import pytest

from ganbench.bench.contest import Contest
from ganbench.bench.updates import contest


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["mnist", "tfd", "cifar10_fc", "cifar10_conv"])
def test_update(name: str, precision: str, run_contest: Callable[[Contest], None]) -> None:
    run_contest(contest(name, precision))
