"""Every fused op on a CPU against what people would write for it."""

from collections.abc import Callable

import pytest
import torch

from ganbench.bench.contest import Call, Contest
from ganbench.bench.kernel_cases import cases, runnable
from ganbench_kernels.dispatch import can_compile
from ganbench_kernels.spec import Benchmark

ROUNDS = 15
SEEDS = 1
CASES = {case.op: case for case in cases("cpu", torch.float32, SEEDS, 1, "auto")}


def rivals(case: Benchmark) -> dict[str, Call]:
    """What people write, as it is and compiled where there is a compiler."""
    calls = dict(case.rivals)
    # The optimiser's rival works in place on lists, which the compiler of torch 2.13 cannot do.
    if can_compile() and case.inputs:
        name, call = next(iter(case.rivals.items()))
        calls[f"{name}_compiled"] = torch.compile(call, dynamic=False)
    return {name: runnable(case, call) for name, call in calls.items()}


@pytest.mark.parametrize("op", CASES)
def test_op(op: str, run_contest: Callable[[Contest], None]) -> None:
    case = CASES[op]
    shapes = ", ".join(" x ".join(map(str, one.shape)) for one in case.inputs)
    ours = runnable(case, case.ours)
    run_contest(Contest("kernel", op, ours, rivals(case), ROUNDS, shapes=shapes))
