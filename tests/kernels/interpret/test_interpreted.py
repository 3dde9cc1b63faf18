"""Every Triton kernel, forward and backward, against the reference that the plain tests prove.

The examples of every op's spec, then what is special about an op. Shapes are odd on purpose; blocks
are those that ship for sm_90. Only float32: the interpreter's bfloat16 products are wrong.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels import dispatch, parzen, pooled_maxout, reference
from ganbench_kernels.affine_maxout import op as maxout_op
from ganbench_kernels.objectives import OBJECTIVES
from ganbench_kernels.parzen import op as parzen_op
from ganbench_kernels.philox import dropout_mask, philox
from ganbench_kernels.spec import Example, Spec, specs

MAXOUT_SHAPES = ((2, 63, 100, 24, 3), (1, 100, 63, 17, 5), (2, 1, 1, 1, 1), (1, 3, 784, 40, 5))
# Sums of up to 784 rounded products of size one, in another order.
PRODUCTS = {"rtol": 1e-5, "atol": 1e-4}
SEEDS, OFFSET = torch.tensor([2**40 + 1, -7]), torch.tensor(2**33 + 5)
KEEPS = (None, 0.5, 0.8)
IMPLS = ("triton", "triton_epilogue")


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def maxout_inputs(s: int, n: int, d: int, u: int, p: int) -> tuple[Tensor, ...]:
    return randn(s, n, d), randn(s, p, u, d), randn(s, p, u)


def mask(keep: float | None, seeds: int) -> tuple[float, Tensor | None, Tensor | None]:
    return (1.0, None, None) if keep is None else (keep, SEEDS[:seeds], OFFSET)


CASES = [
    pytest.param(spec, example, id=f"{spec.op}-{example.label}")
    for spec in specs().values()
    for example in spec.examples
    if not example.on_gpu_only
]


@pytest.mark.parametrize(("spec", "example"), CASES)
def test_triton_equals_the_reference_in_float64(
    spec: Spec, example: Example, run_example: Callable[..., list[Tensor]]
) -> None:
    actual = run_example(spec.call, example, "triton")
    exact = run_example(spec.call, example, "reference", wide=True)
    tolerance = example.tolerance or spec.tolerance
    for one, truth in zip(actual, exact, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), truth, **tolerance, equal_nan=True)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("shape", MAXOUT_SHAPES)
def test_maxout_forward(shape: tuple[int, ...], keep: float | None, impl: str) -> None:
    inputs = maxout_inputs(*shape)
    out, which = maxout_op._forward(*inputs, *mask(keep, shape[0]), impl)
    expected = maxout_op._forward(*inputs, *mask(keep, shape[0]), "reference")
    torch.testing.assert_close(out, expected[0], **PRODUCTS)
    assert torch.equal(which, expected[1])
    if keep is not None:
        kept = dropout_mask(out.shape, keep, SEEDS[: shape[0]], OFFSET)
        assert torch.equal(which != reference.DROPPED, kept)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("keep", [1.0, 0.8])
@pytest.mark.parametrize("shape", MAXOUT_SHAPES)
def test_maxout_backward(shape: tuple[int, ...], keep: float, weighted: bool, impl: str) -> None:
    s, n, _, u, p = shape
    x, weight, _ = maxout_inputs(*shape)
    which = torch.randint(0, p + 1, (s, n, u), dtype=torch.uint8)
    which = which.masked_fill(which == p, reference.DROPPED)
    row_weight = randn(s, n) if weighted else None
    arguments = randn(s, n, u), x, weight, which, row_weight, keep, True, True
    actual = maxout_op._backward(*arguments, impl)
    expected = maxout_op._backward(*arguments, "reference")
    for gradient, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(gradient, other, **PRODUCTS)


@pytest.mark.parametrize("impl", IMPLS)
def test_maxout_keeps_the_first_of_equal_pieces_and_every_nan(impl: str) -> None:
    x, weight, bias = maxout_inputs(1, 5, 7, 9, 2)
    twice = weight.repeat(1, 2, 1, 1), bias.repeat(1, 2, 1)
    assert maxout_op._forward(x, *twice, *mask(None, 1), impl)[1].max() <= 1
    bias[0, 0, 3] = torch.nan
    nan = maxout_op._forward(x, weight, bias, *mask(None, 1), impl)[0].isnan()
    assert nan[0, :, 3].all()
    assert nan.sum() == 5


@pytest.mark.parametrize("impl", IMPLS)
def test_maxout_without_rows(impl: str) -> None:
    x, weight, bias = maxout_inputs(2, 0, 7, 9, 2)
    out, which = maxout_op._forward(x, weight, bias, *mask(None, 2), impl)
    assert out.shape == (2, 0, 9)
    gradients = maxout_op._backward(out, x, weight, which, None, 1.0, True, True, impl)
    assert not any(gradient.any() for gradient in gradients)


def test_maxout_without_inputs_has_a_gradient_of_its_bias() -> None:
    x, weight, bias = maxout_inputs(2, 5, 0, 9, 2)
    results = []
    for impl in ("triton", "reference"):
        out, which = maxout_op._forward(x, weight, bias, *mask(None, 2), impl)
        results.append(maxout_op._backward(out, x, weight, which, None, 1.0, True, True, impl)[2])
    torch.testing.assert_close(*results)


# numpy's word on what the interpreter is asked for here.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_broken_gradient_reaches_the_winning_piece_only(value: float, impl: str) -> None:
    x, weight, _ = maxout_inputs(2, 5, 7, 9, 3)
    which = torch.randint(0, 3, (2, 5, 9), dtype=torch.uint8)
    which[0, 2, 4], which[1, 1, 3] = reference.DROPPED, 1
    grad = randn(2, 5, 9)
    grad[0, 2, 4] = grad[1, 1, 3] = value
    arguments = grad, x, weight, which, None, 0.5, True, True
    results = [maxout_op._backward(*arguments, one) for one in (impl, "reference")]
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, **PRODUCTS, equal_nan=True)
    assert results[1][2].isfinite().sum() == results[1][2].numel() - 1


def test_maxout_of_views_through_the_public_op() -> None:
    inputs = [t.mT.contiguous().mT.requires_grad_() for t in maxout_inputs(2, 9, 8, 6, 3)]
    dropout = kernels.Dropout(0.5, SEEDS, OFFSET)
    results = []
    for impl in ("triton", "reference"):
        out = kernels.maxout(*inputs, dropout, impl=impl)
        results.append((out, *torch.autograd.grad(out.square().sum(), inputs)))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, **PRODUCTS)


def test_dropout_keeps_lanes_below_the_threshold_only() -> None:
    # One element's lane at a time is the threshold: dropped there, kept one above.
    x = torch.ones(1, 400)
    block = torch.arange(50).reshape(1, -1)
    counter = block, torch.zeros(1, 1).long(), OFFSET % 2**32, OFFSET >> 32
    words = philox(counter, (SEEDS[0] % 2**32, SEEDS[0] >> 32))
    bits = torch.stack(torch.broadcast_tensors(*words), -1).flatten() & 0xFFFFFFFF
    lanes = torch.stack((bits & 0xFFFF, bits >> 16), -1).flatten().tolist()
    for element in range(12, 28):
        for above in (0, 1):
            keep = (lanes[element] + above) / 65536
            out = kernels.dropout(x, keep, SEEDS[:1], OFFSET, impl="triton")
            assert (out[0, element] != 0) == bool(above)
            assert torch.equal(out != 0, kernels.dropout(x, keep, SEEDS[:1], OFFSET) != 0)


@pytest.mark.parametrize("example", pooled_maxout.SPEC.examples[:-1], ids=lambda one: one.label)
def test_maxout_pool2d_is_exact(example: Example) -> None:
    (x,), sizes = example.inputs(torch.float32, "cpu")
    outs = [kernels.maxout_pool2d(x, *sizes, impl=impl) for impl in ("triton", "reference")]
    torch.testing.assert_close(*outs, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("objective", ["non_saturating", "minimax"])
def test_adversarial_loss_of_one_logit_is_precise(objective: str) -> None:
    """A seed for each logit, so that no mean hides an error; tiny losses keep their digits."""
    logits = torch.cat([torch.linspace(-6, 6, 101), torch.tensor([15.0, 30.0, 80.0])]).unsqueeze(1)
    actual = kernels.adversarial_loss(logits, logits, objective, impl="triton")
    wide = logits.double()
    exact = kernels.adversarial_loss(wide, wide, objective)
    for loss, truth in zip(actual, exact, strict=True):
        torch.testing.assert_close(loss.double(), truth, rtol=1e-6, atol=0)


def test_an_objective_without_formulas_in_triton_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(OBJECTIVES, "made_up", OBJECTIVES["hinge"])
    with pytest.raises(Exception, match="no formulas in Triton"):
        kernels.adversarial_loss(torch.ones(3), torch.ones(3), "made_up", impl="triton")


@pytest.mark.parametrize("example", parzen.SPEC.examples[:-1], ids=lambda one: one.label)
def test_parzen_without_splits(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganbench_kernels.parzen.launch.PROGRAMS", 1)
    actual, exact = (
        kernels.parzen_log_likelihood(*example.inputs(torch.float32, "cpu", wide)[0], impl=impl)
        for impl, wide in (("triton", False), ("reference", True))
    )
    torch.testing.assert_close(actual.double(), exact, **parzen.SPEC.tolerance)


# numpy's word on what the interpreter is asked for here.
@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_parzen_shows_a_nan_and_takes_no_points() -> None:
    points, centers, sigmas = torch.rand(5, 4), torch.rand(9, 4), torch.tensor([0.2])
    points[2, 1] = torch.nan
    actual = kernels.parzen_log_likelihood(points, centers, sigmas, impl="triton")
    assert actual.isnan().tolist() == [[False, False, True, False, False]]
    assert kernels.parzen_log_likelihood(points[:0], centers, sigmas, impl="triton").numel() == 0


def parzen_gradients(*inputs: Tensor, impl: str) -> tuple[Tensor, ...]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    out = kernels.parzen_log_likelihood(*leaves, impl=impl)
    return torch.autograd.grad(out, leaves, randn(*out.shape).to(out.dtype))


def test_parzen_gradients_add_up_over_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = torch.rand(70, 20), torch.rand(90, 20), torch.tensor([0.3, 1.0])
    whole = parzen_gradients(*inputs, impl="triton")
    monkeypatch.setattr("ganbench_kernels.parzen.launch.SLAB", (33, 41))
    for part, one in zip(parzen_gradients(*inputs, impl="triton"), whole, strict=True):
        torch.testing.assert_close(part, one, rtol=1e-5, atol=1e-4)


def test_launches_and_bytes_of_parzens_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the paper's sizes, counted; no kernel runs."""
    launched: list[int] = []

    def count(_kernel: object, _grid: object, *arguments: object, **_: object) -> None:
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        launched.append(sum(tensor.numel() * tensor.element_size() for tensor in tensors))

    monkeypatch.setattr("ganbench_kernels.parzen.launch.launch", count)
    m, n, d, k = parzen.POINTS, parzen.CENTERS, parzen.MNIST_PIXELS, parzen.BANDWIDTHS
    sizes = (k, m), (m, d), (n, d), (k,), (k, m)
    parzen_op._backward(*(torch.ones(*size) for size in sizes), "triton")
    # The slab's pull once written and twice read, points and centers three times, gradients added.
    least = 4 * (3 * m * n + 4 * (m + n) * d)
    assert len(launched) == 3
    assert least < sum(launched) < 1.01 * least


# numpy's word on what the interpreter is asked for here.
@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_parzen_gradients_show_a_nan_and_take_no_points() -> None:
    points, centers, sigmas = torch.rand(5, 4), torch.rand(9, 4), torch.tensor([0.2])
    points[2, 1] = torch.nan
    for impl in ("triton", "reference"):
        grad_points, *others = parzen_gradients(points, centers, sigmas, impl=impl)
        assert grad_points.isnan().all(1).tolist() == [False, False, True, False, False]
        assert all(other.isnan().all() for other in others)
    points = torch.rand(5, 4)
    for arguments in ((points[:0], centers, sigmas), (points, centers, sigmas[:0])):
        assert not any(one.any() for one in parzen_gradients(*arguments, impl="triton"))


# numpy's word on what the interpreter is asked for here.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_sgd_shows_a_broken_gradient_in_its_whole_unit(value: float) -> None:
    results = []
    for impl in ("triton", "reference"):
        lists = [[randn(3, 7)], [randn(3, 7)], [randn(3, 7)]]
        lists[2][0][1, 2] = value
        kernels.sgd_momentum_max_norm_(*lists, 0.1, 0.5, [1.0], impl=impl)
        results.append(lists[0] + lists[1])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, equal_nan=True)


def test_triton_refuses_float64() -> None:
    with pytest.raises(ValueError, match=r"impl: 'triton' takes float32 and bfloat16, got float64"):
        kernels.dropout(torch.ones(2, 3).double(), 0.5, SEEDS, OFFSET, impl="triton")


def test_choices_name_the_kernels_that_ran() -> None:
    kernels.dropout(torch.ones(2, 3), 0.5, SEEDS, OFFSET, impl="triton")
    assert "triton" in dispatch.choices()["dropout"]
