"""The rivals compute what our ops compute, and the tables that `auto` reads have the right unit."""

import sys

import pytest
import torch

from ganbench.bench.kernel_cases import cases, runnable
from ganbench_kernels.spec import Benchmark, specs

SEEDS = 2
OPS = [name for name, spec in specs().items() if spec.benchmark]
# Sums of float32 terms in another order; log-likelihoods of a few hundred nats.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-3}


@pytest.fixture(scope="module")
def by_op() -> dict[str, Benchmark]:
    return {case.op: case for case in cases("cpu", torch.float32, SEEDS, 1, "auto")}


@pytest.mark.parametrize("op", OPS)
def test_rivals_equal_ours_and_gradients_run(by_op: dict[str, Benchmark], op: str) -> None:
    case = by_op[op]
    assert case.rivals
    for call in case.rivals.values():
        if case.comparable:
            torch.testing.assert_close(call(*case.inputs), case.ours(*case.inputs), **TOLERANCE)
        else:
            runnable(case, call)()
    if case.backward:
        assert len(runnable(case, case.ours)()) == len(case.inputs)


def test_sizes_are_those_that_the_ops_report(
    by_op: dict[str, Benchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = {}

    def choose(op: str, *rest: object) -> str:
        reported[op] = rest[-1]
        return "reference"

    for name, module in list(sys.modules.items()):
        if name.startswith("ganbench_kernels.") and name.endswith(".op"):
            monkeypatch.setattr(module, "choose", choose)
    for case in by_op.values():
        case.ours(*case.inputs)
    assert reported == {op: case.size for op, case in by_op.items()}
