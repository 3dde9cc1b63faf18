"""The verdict on memory at its boundaries."""

import pytest

from ganbench.report.table1.memory import Copied, Share, memory_verdict
from ganbench.report.table1.verdicts import Runs

RUNS = Runs((225.0,), 0, True, True)
HELD_OUT = Share(0.1, 0.06)
# Half the way from held-out images to 1, and the error of a seed's 0.04 with half theirs.
BOUND, ERROR = 0.55, 0.05
Z90, Z95 = 1.6449, 1.9600
NEAR = 1e-3


def verdict(*values: float, error: float = 0.04, runs: Runs = RUNS) -> str:
    return memory_verdict(runs, Copied(tuple(Share(one, error) for one in values), HELD_OUT))


def test_no_memory_where_every_seed_lies_below_half_way() -> None:
    room = Z90 * ERROR
    assert verdict(0.1, BOUND - room - NEAR) == "reproduced"
    assert verdict(0.1, BOUND - room + NEAR) == "inconclusive"


def test_memory_where_one_seed_lies_above_it() -> None:
    room = Z95 * ERROR
    assert verdict(0.1, BOUND + room + NEAR) == "not reproduced"
    assert verdict(0.1, BOUND + room - NEAR) == "inconclusive"


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_of_a_collapsed_seed_nothing_is_known(value: float) -> None:
    assert verdict(0.1, value, error=1.0) == "inconclusive"


def test_what_stands_in_the_way_comes_first() -> None:
    assert memory_verdict(RUNS, None) == "not run"
    assert verdict(0.1, runs=Runs((), 0, False, True)) == "data not available"
    assert verdict(0.1, runs=Runs((225.0,), 0, True, False)) == "budget not reached"
