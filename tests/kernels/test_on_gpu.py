"""The kernels on a real GPU: dtypes, precisions, determinism, graphs. See `make gpu-check`."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels.affine_maxout import op as maxout_op
from ganbench_kernels.reference import DROPPED
from ganbench_kernels.spec import Example, Spec, specs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: make gpu-check"),
]

PRECISIONS = {
    "float32": (torch.float32, "highest"),
    "tf32": (torch.float32, "high"),
    "bfloat16": (torch.bfloat16, "highest"),
}
# Seeds, rows, inputs, units, pieces: small and odd, the paper's, ten times larger.
MAXOUT_SHAPES = {
    "small": (2, 63, 100, 24, 3),
    "odd": (1, 100, 1271, 17, 5),
    "paper": (10, 100, 784, 240, 5),
    "large": (10, 1000, 784, 240, 5),
}
# Against float64, an op may err twice as much as eager torch does in its own precision. In TF32
# torch's library rounds the factors of a product and Triton's hardware cuts them (test_tf32.py), so
# that there the yardstick is what exact products of cut factors err, where that is more.
FACTOR, FLOOR = 2.0, 1e-5
IN_TF32 = "maxout"  # Parzen's products are of float32's precision whatever torch is told


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS[request.param][1])
    yield request.param
    torch.set_float32_matmul_precision(before)


def randn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).to("cuda", dtype)


def maxout_case(name: str, dtype: torch.dtype) -> tuple[Any, ...]:
    s, n, d, u, p = MAXOUT_SHAPES[name]
    inputs = randn(s, n, d), randn(s, p, u, d) / d**0.5, randn(s, p, u)
    seed, offset = torch.arange(s, device="cuda"), torch.tensor(3, device="cuda")
    return *(tensor.to(dtype) for tensor in inputs), 0.5, seed, offset


CASES = [
    pytest.param(spec, example, id=f"{spec.op}-{example.label}")
    for spec in specs().values()
    for example in spec.examples
]


@pytest.mark.parametrize(("spec", "example"), CASES)
def test_triton_errs_no_more_than_twice_eager(
    spec: Spec,
    example: Example,
    run_example: Callable[..., list[Tensor]],
    cut_to_tf32: Callable[[Tensor], Tensor],
    precision: str,
) -> None:
    dtype = PRECISIONS[precision][0]
    if spec.jumps and precision != "float32":
        example = example._replace(backward=False)
    eager, actual = (
        run_example(spec.call, example, impl, dtype, "cuda") for impl in ("reference", "triton")
    )
    exact = run_example(spec.call, example, "reference", dtype, "cuda", wide=True)
    atol = (example.tolerance or spec.tolerance)["atol"]
    cut = exact
    if precision == "tf32" and spec.op == IN_TF32:

        def of_cut_factors(x: Tensor, weight: Tensor, *rest: Any, impl: Any) -> Tensor:
            return kernels.maxout(cut_to_tf32(x), cut_to_tf32(weight), *rest, impl=impl)

        cut = run_example(of_cut_factors, example, "reference", dtype, "cuda", wide=True)
    for one, other, less, truth in zip(actual, eager, cut, exact, strict=True):
        assert torch.equal(one.isnan(), truth.isnan())
        if truth.numel():
            size = truth.nan_to_num().abs().max()
            error = (one.double() - truth).nan_to_num().abs().max()
            eager_error, cut_error = (
                (rival.double() - truth).nan_to_num().abs().max() for rival in (other, less)
            )
            assert error <= FACTOR * max(eager_error, cut_error) + max(FLOOR * size, atol)


@pytest.mark.parametrize("impl", ["triton", "triton_epilogue"])
@pytest.mark.parametrize("name", MAXOUT_SHAPES)
def test_maxout_errs_no_more_than_twice_eager(
    name: str, impl: str, precision: str, cut_to_tf32: Callable[[Tensor], Tensor]
) -> None:
    dtype = PRECISIONS[precision][0]
    case = maxout_case(name, dtype)
    wide = (*(tensor.double() for tensor in case[:3]), *case[3:])
    exact = maxout_op._forward(*wide, "reference")[0]
    eager, eager_which = maxout_op._forward(*case, "reference")
    out, which = maxout_op._forward(*case, impl)
    allowed = FACTOR * (eager.double() - exact).abs().max() + FLOOR
    if precision == "tf32":
        cut = maxout_op._forward(*map(cut_to_tf32, wide[:2]), *wide[2:], "reference")[0]
        allowed = max(allowed, FACTOR * (cut - exact).abs().max() + FLOOR)
    assert (out.double() - exact).abs().max() <= allowed
    assert torch.equal(which == DROPPED, eager_which == DROPPED)


@pytest.mark.parametrize("impl", ["triton", "triton_epilogue"])
@pytest.mark.parametrize("name", MAXOUT_SHAPES)
def test_maxout_gradients_err_no_more_than_twice_eager(
    name: str, impl: str, precision: str, cut_to_tf32: Callable[[Tensor], Tensor]
) -> None:
    x, weight, bias, *mask = maxout_case(name, PRECISIONS[precision][0])
    out, which = maxout_op._forward(x, weight, bias, *mask, "reference")
    grad = torch.randn_like(out)
    row_weight = randn(*x.shape[:2], dtype=x.dtype)
    tensors = grad, x, weight
    rest = which, row_weight, 0.5, True, True
    wide = [tensor.double() for tensor in tensors]
    exact = maxout_op._backward(*wide, which, row_weight.double(), *rest[2:], "reference")
    eager = maxout_op._backward(*tensors, *rest, "reference")
    actual = maxout_op._backward(*tensors, *rest, impl)
    cut = exact
    if precision == "tf32":
        less = map(cut_to_tf32, wide)
        cut = maxout_op._backward(*less, which, row_weight.double(), *rest[2:], "reference")
    for gradient, other, less, truth in zip(actual, eager, cut, exact, strict=True):
        size = truth.abs().max()
        eager_error = max((rival.double() - truth).abs().max() for rival in (other, less))
        allowed = FACTOR * eager_error + FLOOR * size
        assert (gradient.double() - truth).abs().max() <= allowed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("size", [1, 1271, 156_800], ids=["one", "small", "paper"])
def test_dropout_masks_equal_the_cpus(size: int, keep: float, dtype: torch.dtype) -> None:
    seeds, offset = torch.tensor([2**40, -3]), torch.tensor(2**33)
    x = torch.ones(2, size).to(dtype)
    on_gpu = kernels.dropout(x.cuda(), keep, seeds.cuda(), offset.cuda(), impl="triton")
    assert torch.equal(on_gpu.cpu() == 0, kernels.dropout(x, keep, seeds, offset) == 0)


@pytest.mark.parametrize(
    ("m", "n", "d"), [(70, 300, 63), (1000, 10_000, 784)], ids=["small", "paper"]
)
def test_parzen_is_as_near_as_stated(m: int, n: int, d: int) -> None:
    points, centers = randn(m, d).sigmoid(), randn(n, d).sigmoid()
    sigmas = torch.logspace(-1, 0, 10, device="cuda")
    actual = kernels.parzen_log_likelihood(points, centers, sigmas, impl="triton")
    wide = [tensor.double() for tensor in (points, centers, sigmas)]
    error = actual.double() - kernels.parzen_log_likelihood(*wide, impl="reference")
    # kernels/README.md, nats.
    assert error.abs().max() < 0.02
    assert error.mean(1).abs().max() < 1e-3


@pytest.mark.parametrize("impl", ["triton", "triton_epilogue"])
def test_two_runs_give_equal_bits(impl: str, precision: str) -> None:
    case = maxout_case("paper", PRECISIONS[precision][0])
    runs = []
    for _ in range(2):
        out, which = maxout_op._forward(*case, impl)
        gradients = maxout_op._backward(out, case[0], case[1], which, None, 0.5, True, True, impl)
        losses = kernels.adversarial_loss(out[..., 0], out[..., 1], "minimax", impl="triton")
        runs.append((out, *gradients, *losses))
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_a_graph_draws_a_new_mask_from_its_offset() -> None:
    x, seed = torch.ones(2, 1000, device="cuda"), torch.arange(2, device="cuda")
    offset = torch.zeros((), dtype=torch.int64, device="cuda")
    kernels.dropout(x, 0.5, seed, offset, impl="triton")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = kernels.dropout(x, 0.5, seed, offset, impl="triton")
        offset.add_(1)
    masks = []
    for _ in range(2):
        graph.replay()
        masks.append(out.clone())
    assert not torch.equal(*masks)
    zero = torch.zeros((), dtype=torch.int64, device="cuda")
    assert torch.equal(masks[0], kernels.dropout(x, 0.5, seed, zero, impl="triton"))


def test_compiled_code_takes_the_kernels() -> None:
    case = maxout_case("paper", torch.float32)[:3]
    compiled = torch.compile(lambda *t: kernels.maxout(*t, impl="triton"), fullgraph=True)
    torch.testing.assert_close(compiled(*case), kernels.maxout(*case, impl="triton"))
