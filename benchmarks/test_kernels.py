"""Every fused op on a CPU against its rivals, one thread, side by side: ratio and 95 % interval.

`pytest benchmarks --benchmark-only`; the ratio is rival / ours, above 1 means that ours is faster.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ganbench.bench.kernel_cases import Case, cases, runnable
from ganbench.bench.timing import interleaved, ratio

ROUNDS = 15
SEEDS = 1
CASES = {case.op: case for case in cases("cpu", torch.float32, SEEDS, 1, "auto")}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rivals(case: Case) -> dict[str, Any]:
    """What people write, as it is and compiled where there is a compiler."""
    found = dict(case.rivals)
    # The optimiser's rival works in place on lists, which the compiler of torch 2.13 cannot do.
    if shutil.which("g++") and case.inputs:
        name, call = next(iter(case.rivals.items()))
        found[f"{name}_compiled"] = torch.compile(call, dynamic=False)
    return found


# torch's own compiler still calls what torch has deprecated.
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("op", CASES)
def test_op_against_its_rivals(op: str, benchmark: Any) -> None:
    case = CASES[op]
    calls = {name: runnable(case, call) for name, call in rivals(case).items()}
    ours = runnable(case, case.ours)
    samples = interleaved(calls | {"ours": ours}, ROUNDS)
    for name in calls:
        found = ratio(samples["ours"], samples[name])
        benchmark.extra_info[f"ratio_to_{name}"] = found._asdict()
    benchmark.pedantic(ours, rounds=ROUNDS, warmup_rounds=1)
