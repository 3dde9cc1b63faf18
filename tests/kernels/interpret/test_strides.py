"""Every public op on views of every kind gives what it gives on their copies."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels.affine_maxout import op as maxout_op

SEEDS, OFFSET = torch.tensor([5, 6]), torch.tensor(9)
DROPOUT = kernels.Dropout(0.5, SEEDS, OFFSET)
# Sums of rounded products in another order than the reference's.
CLOSE = {"rtol": 1e-5, "atol": 1e-4}


def transposed(x: Tensor) -> Tensor:
    return x.mT.contiguous().mT if x.dim() > 1 else strided(x)


def strided(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, -1)[..., ::2]


def shifted(x: Tensor) -> Tensor:
    """Contiguous, but starts between two of the 16 bytes that a vector load takes."""
    memory = torch.empty(x.numel() + 1, dtype=x.dtype)
    return memory[1:].view(x.shape).copy_(x)


def expanded(x: Tensor) -> Tensor:
    """The first row for all: stride zero."""
    return x[..., :1, :].expand_as(x) if x.dim() > 1 else x[:1].expand_as(x)


def negated(x: Tensor) -> Tensor:
    """Memory holds the negative, which is_contiguous() does not tell."""
    return torch._neg_view(-x)


VIEWS = (transposed, strided, shifted, expanded, negated)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# With D = 16 Parzen pads nothing, so that nothing is copied on the way.
CASES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "maxout": (
        lambda *t, impl: kernels.maxout(*t, DROPOUT, impl=impl),
        (randn(2, 9, 16), randn(2, 3, 8, 16), randn(2, 3, 8)),
    ),
    "dropout": (
        lambda x, impl: kernels.dropout(x, 0.8, SEEDS, OFFSET, impl=impl), (randn(2, 7, 16),)
    ),
    "maxout_pool2d": (
        lambda x, impl: kernels.maxout_pool2d(x, 2, 3, 2, impl=impl), (randn(2, 4, 7, 16),)
    ),
    "adversarial_loss": (
        lambda *t, impl: torch.stack(kernels.adversarial_loss(*t, "minimax", impl=impl)),
        (randn(2, 16), randn(2, 16) + 1),
    ),
    "parzen_log_likelihood": (
        lambda *t, impl: kernels.parzen_log_likelihood(*t, impl=impl),
        (randn(5, 16), randn(7, 16), torch.tensor([0.7, 1.0])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, view: Callable[[Tensor], Tensor]) -> None:
    function, inputs = CASES[name]
    results = []
    for impl, make in (("triton", view), ("reference", lambda x: view(x).clone().contiguous())):
        leaves = [make(x).detach().requires_grad_() for x in inputs]
        out = function(*leaves, impl=impl)
        # A gradient of stride zero, or strided.
        cotangent = torch.ones(()).expand_as(out) if view is expanded else view(randn(*out.shape))
        results.append((out, *torch.autograd.grad(out, leaves, cotangent)))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected.resolve_neg(), **CLOSE)


@pytest.mark.parametrize("impl", ["triton", "triton_epilogue"])
@pytest.mark.parametrize("view", VIEWS)
def test_maxouts_halves(view: Callable[[Tensor], Tensor], impl: str) -> None:
    x, weight, bias = (view(x) for x in CASES["maxout"][1])
    which = torch.randint(0, 3, (2, 9, 8), dtype=torch.uint8).mT.contiguous().mT
    out = maxout_op._forward(x, weight, bias, *DROPOUT, impl)
    grads = view(randn(2, 9, 8)), x, weight, which, view(randn(2, 9)), 0.5, True, True
    actual = (*out, *maxout_op._backward(*grads, impl))
    out = maxout_op._forward(x, weight, bias, *DROPOUT, "reference")
    expected = (*out, *maxout_op._backward(*grads, "reference"))
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other.resolve_neg(), **CLOSE)


@pytest.mark.parametrize("view", VIEWS)
def test_the_optimisers_gradient(view: Callable[[Tensor], Tensor]) -> None:
    results = []
    for impl in ("triton", "reference"):
        lists = [[shifted(scale * randn(3, 16)), randn(5)] for scale in (1, 2)]
        gradients = [view(randn(3, 16)), view(randn(5))]
        kernels.sgd_momentum_max_norm_(*lists, gradients, 0.1, 0.7, [2.0, None], impl=impl)
        results.append(lists[0] + lists[1])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=3e-6, atol=1e-6)


def test_a_view_that_would_be_written_is_refused() -> None:
    from ganbench_kernels.sgd import kernels as sgd
    from ganbench_kernels.sgd import launch

    view = strided(randn(3, 16))
    message = f"{sgd.sgd_kernel.fn.__name__}: output: should be contiguous, got strides"
    with pytest.raises(ValueError, match=message):
        launch.step([view], [randn(3, 16)], [randn(3, 16)], 0.1, 0.5, [None])
