"""Which implementation runs, its registration with torch, and what has no second derivative."""

from collections.abc import Callable
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

SEED, OFFSET = torch.tensor([1, 2]), torch.tensor(3)
DROPOUT = kernels.Dropout(0.5, SEED, OFFSET)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


MAXOUT = lambda: (randn(2, 5, 4), randn(2, 3, 8, 4), randn(2, 3, 8))  # noqa: E731
CALLS: dict[str, tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]] = {
    "maxout": (lambda *t: kernels.maxout(*t, DROPOUT), MAXOUT),
    "dropout": (lambda x: kernels.dropout(x, 0.8, SEED, OFFSET), lambda: (randn(2, 9),)),
    "maxout_pool2d": (
        lambda x: kernels.maxout_pool2d(x, 2, 3, 2), lambda: (randn(2, 4, 7, 8),)
    ),
    "adversarial_loss": (
        lambda *t: sum(kernels.adversarial_loss(*t, "minimax")), lambda: (randn(2, 9), randn(2, 9))
    ),
    "parzen_log_likelihood": (
        kernels.parzen_log_likelihood,
        lambda: (randn(5, 4), randn(7, 4), torch.tensor([0.5, 1.0]).double().requires_grad_()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_one_graph_gives_the_same_values_and_gradients(name: str) -> None:
    function, make = CALLS[name]
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    inputs = make()
    results = []
    for call in (function, compiled):
        out = call(*inputs)
        results.append((out, *torch.autograd.grad(out.sum(), inputs)))
    for eager, graph in zip(*results, strict=True):
        torch.testing.assert_close(graph, eager)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_second_derivative_is_refused(name: str, compiled: bool) -> None:
    function, make = CALLS[name]
    inputs = make()
    if compiled:
        function = OPS[name]
    out = function(*inputs)
    first = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
    with pytest.raises(NotImplementedError, match=f"{name}: gradient: has no second derivative"):
        torch.autograd.grad(sum(gradient.sum() for gradient in first), inputs)


@pytest.mark.parametrize("name", CALLS)
def test_torch_func_takes_gradients(name: str) -> None:
    function, make = CALLS[name]
    inputs = make()
    expected = torch.autograd.grad(function(*inputs).sum(), inputs)
    plain, places = [t.detach() for t in inputs], tuple(range(len(inputs)))
    actual = torch.func.grad(lambda *t: function(*t).sum(), places)(*plain)
    torch.testing.assert_close(actual, expected)

    def first(x: Tensor) -> Tensor:
        return torch.func.grad(lambda t: function(t, *plain[1:]).square().sum())(x).sum()

    with pytest.raises(NotImplementedError, match=f"{name}: gradient: has no second derivative"):
        torch.func.grad(first)(plain[0])


@pytest.mark.parametrize("setting", ["ieee", "tf32"])
def test_products_follow_torchs_newer_setting(setting: str) -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = setting
        assert dispatch.dot_precision(torch.float32) == setting.replace("ieee", "float32")
        assert dispatch.dot_precision(torch.bfloat16) == "bfloat16"
    finally:
        matmul.fp32_precision = before


# The registered ops themselves, as a compiled graph calls them.
OPS: dict[str, Callable[..., Tensor]] = {
    "maxout": lambda *t: maxout_op._fused.op(*t, *DROPOUT, "reference")[0],
    "dropout": lambda x: dropout_op._fused.op(x, 0.8, SEED, OFFSET, "reference")[0],
    "maxout_pool2d": lambda x: pool_op._fused.op(x, 2, 3, 2, "reference")[0],
    "adversarial_loss": lambda *t: sum(loss_op._fused.op(*t, "minimax", "reference")[:2]),
    "parzen_log_likelihood": lambda *t: parzen_op._fused.op(*t, "reference"),
}


def opcheck_cases() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    x, weight, bias = MAXOUT()
    out, which = maxout_op._fused.op(x, weight, bias, *DROPOUT, "reference")
    # It has no gradient of its own, which would be checked too.
    detached = [t.detach() for t in (out, x, weight)]
    pooled = randn(2, 4, 7, 8)
    plain = [[torch.randn(3, 4), torch.randn(3)] for _ in range(3)]
    return {
        "maxout": (maxout_op._fused.op, (x, weight, bias, *DROPOUT, "reference")),
        "maxout_backward": (
            maxout_op._fused.backward_op,
            (*detached, which, None, 0.5, True, False, "reference"),
        ),
        "dropout": (dropout_op._fused.op, (randn(2, 9), 0.8, SEED, OFFSET, "reference")),
        "maxout_pool2d": (pool_op._fused.op, (pooled, 2, 3, 2, "reference")),
        "adversarial_loss": (loss_op._fused.op, (randn(2, 9), randn(2, 9), "hinge", "reference")),
        "parzen": (parzen_op._fused.op, (*CALLS["parzen_log_likelihood"][1](), "reference")),
        "sgd": (sgd_op._op, (*plain, OFFSET.double(), OFFSET.double(), [1.0, 2.0], "reference")),
    }


@pytest.mark.parametrize("name", opcheck_cases())
def test_torch_accepts_the_registration(name: str) -> None:
    torch.library.opcheck(*opcheck_cases()[name])


def test_the_optimiser_step_compiles_to_one_graph() -> None:
    def step(parameters: list[Tensor], velocities: list[Tensor], gradients: list[Tensor]) -> None:
        kernels.sgd_momentum_max_norm_(parameters, velocities, gradients, 0.1, 0.5, [1.0, None])

    states = [[[torch.full((3, 4), i), torch.full((3,), i)] for i in (1.0, 2.0, 3.0)] for _ in "ab"]
    step(*states[0])
    torch.compile(step, fullgraph=True, backend="aot_eager")(*states[1])
    torch.testing.assert_close(*states)


def test_the_optimisers_rates_are_made_where_its_parameters_are() -> None:
    """On another device a kernel could not read them; "meta" stands for a GPU."""
    devices = []

    def look(graph: torch.fx.GraphModule, _: Any) -> Any:
        for node in graph.graph.nodes:
            made = node.meta.get("example_value")
            if isinstance(made, Tensor) and made.dim() == 0:
                devices.append(made.device.type)
        return graph.forward

    def step(value: Tensor, rate: float | Tensor) -> None:
        kernels.sgd_momentum_max_norm_([value], [value + 1], [value], rate, 0.5, None)

    for rate in (0.1, torch.tensor(0.1, device="meta")):
        devices.clear()
        torch.compile(step, fullgraph=True, backend=look)(torch.ones(3, 4, device="meta"), rate)
        assert set(devices) == {"meta"}


def test_triton_on_a_cpu_tensor_is_an_error() -> None:
    logits = torch.ones(3)
    if not dispatch.has_triton():
        pytest.skip("triton is not installed, which is an error of its own")
    with pytest.raises(
        ValueError, match=r"adversarial_loss: impl: 'triton' needs tensors on a GPU"
    ):
        kernels.adversarial_loss(logits, logits, "hinge", impl="triton")


def test_missing_triton_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "has_triton", lambda: False)
    with pytest.raises(ValueError, match=r"dropout: impl: the triton package is not installed"):
        kernels.dropout(torch.ones(2, 3), 0.5, SEED, OFFSET, impl="triton")


def test_an_unknown_implementation_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"impl: unknown implementation, got 'cuda'; choose auto"):
        kernels.maxout_pool2d(torch.ones(1, 2, 3, 3), 2, 2, 2, impl="cuda")  # pyright: ignore


def test_choices_are_recorded() -> None:
    kernels.maxout_pool2d(torch.ones(1, 2, 3, 3), 2, 2, 2)
    assert dispatch.choices()["maxout_pool2d"] == "reference"


@pytest.mark.parametrize("arch", dispatch.ARCHITECTURES)
def test_tuned_tables_hold_every_kernel(arch: str) -> None:
    table = dispatch.tuned_table(arch)
    assert table.keys() == {"measured_on", "configs", "auto"}
    assert table["configs"].keys() == dispatch.tuned_table("sm_90")["configs"].keys()
    # Nobody has measured: then `auto` must not leave the reference.
    assert table["measured_on"] or not table["auto"]


def test_auto_follows_the_tuned_table(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"up_to": 100, "impl": "triton"}, {"up_to": 1000, "impl": "triton_epilogue"}]
    table = {"auto": {"maxout": {"float32": rows}}}
    monkeypatch.setattr(dispatch, "tuned_table", lambda _: table)
    monkeypatch.setattr(dispatch, "_triton_fits", lambda *_: True)
    logits = torch.ones(3)
    sizes = {100: "triton", 101: "triton_epilogue", 1001: "triton"}
    for size, expected in sizes.items():
        assert dispatch.choose("maxout", "auto", logits, size) == expected
    assert dispatch.choose("dropout", "auto", logits, 1) == "triton"


@pytest.mark.parametrize("backend", [None, "aot_eager"])
def test_autocast_works_as_with_torchs_own_layers(backend: str | None) -> None:
    """Two stacked maxouts, dropout, pooling, the loss and Parzen, forward and backward."""
    x, weight, bias = torch.randn(2, 6, 4), torch.randn(2, 3, 8, 4), torch.randn(2, 3, 8)
    upper = torch.randn(2, 3, 6, 8), torch.randn(2, 3, 6)
    leaves = [t.requires_grad_() for t in (x, weight, bias, *upper)]

    def run(x: Tensor, weight: Tensor, bias: Tensor, *upper: Tensor) -> tuple[Tensor, ...]:
        hidden = kernels.maxout(kernels.dropout(x, 0.8, SEED, OFFSET), weight, bias, DROPOUT)
        out = kernels.maxout(hidden, *upper)
        pooled = kernels.maxout_pool2d(out.unsqueeze(0), 2, 2, 2)
        losses = kernels.adversarial_loss(out[..., 0], out[..., 1], "minimax")
        likelihood = kernels.parzen_log_likelihood(out[0], upper[1][0], torch.tensor([3.0]))
        return hidden, out, pooled, *losses, likelihood

    compiled = run if backend is None else torch.compile(run, fullgraph=True, backend=backend)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = compiled(*leaves)
        # Inside on purpose: a backward must not be cast either.
        gradients = torch.autograd.grad(sum(out.float().sum() for out in outputs), leaves)
    low, high = torch.bfloat16, torch.float32
    assert [out.dtype for out in outputs] == [low, low, low, high, high, high]
    assert all(gradient.dtype == high for gradient in gradients)
    expected = run(*leaves)
    for one, other in zip(outputs[:3], expected, strict=False):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.2)


def test_autocast_leaves_the_optimisers_step_alone() -> None:
    results = []
    for on in (False, True):
        generator = torch.Generator().manual_seed(1)
        lists = [[torch.randn(3, 8, generator=generator)] for _ in range(3)]
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            kernels.sgd_momentum_max_norm_(*lists, 0.1, 0.5, [1.0])
        results.append(lists)
    torch.testing.assert_close(*results, rtol=0, atol=0)


def test_autocast_to_float16_is_refused() -> None:
    inputs = [t.detach().float() for t in MAXOUT()]
    message = r"maxout: autocast: should be to bfloat16, got torch.float16; use torch.autocast"
    with torch.autocast("cpu", torch.float16), pytest.raises(ValueError, match=message):
        kernels.maxout(*inputs)
