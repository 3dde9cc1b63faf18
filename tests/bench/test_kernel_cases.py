"""The rivals compute what our ops compute, and the tables that `auto` reads have the right unit."""

import pytest
import torch

from ganbench.bench.kernel_cases import Case, cases, runnable
from ganbench_kernels import (
    affine_maxout,
    gan_loss,
    inverted_dropout,
    parzen,
    pooled_maxout,
    sgd,
)

SEEDS = 2
OP_MODULES = (affine_maxout, gan_loss, inverted_dropout, parzen, pooled_maxout, sgd)
# Sums of float32 terms in another order; log-likelihoods of a few hundred nats.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-3}


@pytest.fixture(scope="module")
def by_op() -> dict[str, Case]:
    return {case.op: case for case in cases("cpu", torch.float32, SEEDS, 1, "auto")}


@pytest.mark.parametrize(
    "op", ["maxout", "maxout_pool2d", "adversarial_loss", "parzen_log_likelihood"]
)
def test_rivals_equal_ours(by_op: dict[str, Case], op: str) -> None:
    case = by_op[op]
    for call in case.rivals.values():
        torch.testing.assert_close(call(*case.inputs), case.ours(*case.inputs), **TOLERANCE)


def test_every_call_runs_with_its_gradients(by_op: dict[str, Case]) -> None:
    for op in ("maxout", "dropout", "adversarial_loss"):
        case = by_op[op]
        assert len(runnable(case, case.ours)()) == len(case.inputs)
    optimiser = by_op["sgd_momentum_max_norm_"]
    for call in (optimiser.ours, *optimiser.rivals.values()):
        runnable(optimiser, call)()


def test_sizes_are_those_that_the_ops_report(
    by_op: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = {}

    def choose(op: str, *rest: object) -> str:
        reported[op] = rest[-1]
        return "reference"

    for module in OP_MODULES:
        monkeypatch.setattr(module.op, "choose", choose)
    for case in by_op.values():
        case.ours(*case.inputs)
    assert reported == {op: case.size for op, case in by_op.items()}
