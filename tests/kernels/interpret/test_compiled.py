"""torch.compile and its registered ops with Triton inside, and on views."""

from typing import Any

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels import dispatch
from ganbench_kernels.affine_maxout import op as maxout_op
from ganbench_kernels.gan_loss import op as loss_op
from ganbench_kernels.inverted_dropout import op as dropout_op
from ganbench_kernels.parzen import op as parzen_op
from ganbench_kernels.pooled_maxout import op as pool_op
from ganbench_kernels.sgd import op as sgd_op

SEEDS, OFFSET = torch.tensor([5, 6]), torch.tensor(9)
DROPOUT = kernels.Dropout(0.5, SEEDS, OFFSET)
IMPLS = ("triton", "reference")
CLOSE = {"rtol": 1e-5, "atol": 1e-4}


@pytest.fixture
def unwritten_memory_is_nan() -> None:
    """Not here: a compiler that traces allocations cannot be shown others."""


def view(*shape: int) -> Tensor:
    """Transposed where it can be."""
    x = torch.randn(*shape)
    return x.mT.contiguous().mT if x.dim() > 1 else x


def cases(impl: str) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    x, weight, bias = view(2, 5, 16), view(2, 3, 8, 16), view(2, 3, 8)
    which = torch.randint(0, 3, (2, 5, 8), dtype=torch.uint8).mT.contiguous().mT
    routed = view(2, 5, 8), x, weight, which, None, 0.5
    pooled = torch.randn(2, 4, 7, 8).to(memory_format=torch.channels_last)
    points, centers, sigmas = view(5, 16), view(7, 16), torch.tensor([0.5, 1.0])
    likelihood = kernels.parzen_log_likelihood(points, centers, sigmas)
    gradients = torch.randn(3, 2, 9)
    rates = torch.tensor(0.1).double(), torch.tensor(0.5).double()
    lists = [[torch.randn(3, 4), torch.randn(3)] for _ in range(2)]
    maxout, loss, pool = maxout_op._fused, loss_op._fused, pool_op._fused
    kept = torch.ones(2, 3, 9, dtype=torch.uint8)
    kept = kept if impl == "reference" else kept[:0].flatten()
    _, winners = pool.forward(pooled, 2, 3, 2, impl)
    sizes = 2, 3, 2, impl
    return {
        "maxout": (maxout.op, (x, weight, bias, *DROPOUT, impl)),
        "maxout backward": (maxout.backward_op, (*routed, True, True, impl)),
        "maxout backward of x": (maxout.backward_op, (*routed, True, False, impl)),
        "maxout backward of weights": (maxout.backward_op, (*routed, False, True, impl)),
        "loss of one seed": (loss.op, (view(1, 9), view(1, 9), "minimax", impl)),
        "loss without seeds": (loss.op, (view(9), view(9), "minimax", impl)),
        "loss": (loss.op, (view(2, 9), view(2, 9), "hinge", impl)),
        "loss backward": (loss.backward_op, (torch.ones(2), torch.ones(()).expand(2), gradients)),
        "dropout": (dropout_op._fused.op, (view(2, 3, 9), 0.8, SEEDS, OFFSET, impl)),
        "dropout backward": (
            dropout_op._fused.backward_op, (view(2, 3, 9), kept, 0.8, SEEDS, OFFSET, impl)
        ),
        "pool": (pool.op, (pooled, *sizes)),
        "pool backward": (pool.backward_op, (view(*winners.shape), pooled, winners, *sizes)),
        "parzen": (parzen_op._fused.op, (points, centers, sigmas, impl)),
        "parzen backward": (
            parzen_op._fused.backward_op, (view(2, 5), points, centers, sigmas, likelihood, impl)
        ),
        "sgd": (sgd_op._op, (*lists, [view(3, 4), view(3)], *rates, [1.0, 2.0], impl)),
    }  # fmt: skip


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("name", cases("reference"))
def test_torch_accepts_the_registration(name: str, impl: str) -> None:
    op, arguments = cases(impl)[name]
    torch.library.opcheck(op, arguments)


def every_op(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """All public ops, through `auto`."""
    out = kernels.maxout(kernels.dropout(x, 0.8, SEEDS, OFFSET), weight, bias, DROPOUT)
    losses = kernels.adversarial_loss(out[..., 0], out[..., 1], "minimax")
    likelihood = kernels.parzen_log_likelihood(out[0], out[1], torch.tensor([2.0]))
    pooled = kernels.maxout_pool2d(out.unsqueeze(0), 2, 2, 2)
    with torch.no_grad():
        forward, which = kernels.maxout_forward(x, weight, bias, DROPOUT)
        backward = kernels.maxout_backward(forward, x, weight, which, None, 0.5)
        slopes = kernels.adversarial_loss_gradients(x[..., 0], x[..., 1], "hinge")
        factors = kernels.dropout_factors([x.shape], [0.5], SEEDS, OFFSET, x)
    assert factors[0] is not None
    return (*losses, likelihood, pooled, forward, *backward, *slopes, factors[0])


def test_one_graph_takes_the_kernels_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where `auto` looks for triton and into the tuned table."""
    inputs = [view(2, 6, 16).requires_grad_(), view(2, 3, 8, 16).requires_grad_(), view(2, 3, 8)]
    monkeypatch.setattr(dispatch, "_triton_fits", lambda *_: True)
    dispatch.tuned_table.cache_clear()
    monkeypatch.setattr(dispatch, "_choices", {})
    compiled = torch.compile(every_op, fullgraph=True, backend="aot_eager")(*inputs)
    assert set(dispatch.choices().values()) == {"triton"}
    gradients = torch.autograd.grad(sum(out.sum() for out in compiled), inputs[:2])
    eager = every_op(*inputs)
    expected = torch.autograd.grad(sum(out.sum() for out in eager), inputs[:2])
    for one, other in zip((*compiled, *gradients), (*eager, *expected), strict=True):
        torch.testing.assert_close(one, other, **CLOSE)
