"""Which implementation runs, its registration with torch, and what has no second derivative."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels import dispatch
from ganbench_kernels.affine_maxout import op as maxout_op
from ganbench_kernels.registration import FusedOp
from ganbench_kernels.sgd import op as sgd_op
from ganbench_kernels.spec import Example, Spec, specs

SEED, OFFSET = torch.tensor([1, 2]), torch.tensor(3)
DROPOUT = kernels.Dropout(0.5, SEED, OFFSET)


# The first example of each op, which is small and smooth.
EXAMPLES = [
    pytest.param(spec, spec.examples[0], id=spec.op) for spec in specs().values() if spec.examples
]
DIFFERENTIABLE = [one for one in EXAMPLES if one.values[1].backward]
Run = Callable[..., list[Tensor]]


@pytest.mark.parametrize(("spec", "example"), EXAMPLES)
def test_one_graph_gives_the_same_values_and_gradients(
    spec: Spec, example: Example, run_example: Run
) -> None:
    compiled = torch.compile(spec.call, fullgraph=True, backend="aot_eager")
    eager, graph = (
        run_example(call, example, "reference", torch.float64) for call in (spec.call, compiled)
    )
    for one, other in zip(eager, graph, strict=True):
        torch.testing.assert_close(other, one)


@pytest.mark.parametrize(("spec", "example"), DIFFERENTIABLE)
def test_gradients_equal_finite_differences(spec: Spec, example: Example) -> None:
    inputs, rest = example.inputs(torch.float64, "cpu")
    inputs = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(lambda *t: spec.call(*t, *rest, impl="reference"), inputs)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("spec", "example"), DIFFERENTIABLE)
def test_a_second_derivative_is_refused(
    spec: Spec, example: Example, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:  # as a compiled graph calls it
        monkeypatch.setattr(FusedOp, "__call__", lambda fused, *inputs: fused.op(*inputs))
    inputs, rest = example.inputs(torch.float64, "cpu")
    inputs = [tensor.requires_grad_() for tensor in inputs]
    out = spec.call(*inputs, *rest, impl="reference")
    out = sum(out) if isinstance(out, tuple) else out
    first = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
    with pytest.raises(NotImplementedError, match=f"{spec.op}: gradient: has no second derivative"):
        torch.autograd.grad(sum(gradient.sum() for gradient in first), inputs)


@pytest.mark.parametrize(("spec", "example"), DIFFERENTIABLE)
def test_torch_func_takes_gradients(spec: Spec, example: Example) -> None:
    inputs, rest = example.inputs(torch.float64, "cpu")

    def total(*tensors: Tensor) -> Tensor:
        out = spec.call(*tensors, *rest, impl="reference")
        return sum(one.square().sum() for one in (out if isinstance(out, tuple) else (out,)))

    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    expected = torch.autograd.grad(total(*leaves), leaves)
    actual = torch.func.grad(total, tuple(range(len(inputs))))(*inputs)
    torch.testing.assert_close(actual, expected)

    def first(x: Tensor) -> Tensor:
        return torch.func.grad(total)(x, *inputs[1:]).sum()

    with pytest.raises(NotImplementedError, match=f"{spec.op}: gradient: has no second derivative"):
        torch.func.grad(first)(inputs[0])


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


@pytest.mark.parametrize(("spec", "example"), DIFFERENTIABLE)
def test_torch_accepts_the_registration(
    spec: Spec, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, tuple[Any, ...]]] = []
    original = FusedOp.__call__

    def record(fused: FusedOp, *inputs: Any) -> Any:
        calls.append((fused.op, inputs))
        return original(fused, *inputs)

    monkeypatch.setattr(FusedOp, "__call__", record)
    inputs, rest = example.inputs(torch.float64, "cpu")
    spec.call(*(tensor.requires_grad_() for tensor in inputs), *rest, impl="reference")
    ((op, arguments),) = calls
    torch.library.opcheck(op, arguments)


def test_torch_accepts_the_registrations_without_a_gradient() -> None:
    x, weight, bias = torch.randn(2, 5, 4), torch.randn(2, 3, 8, 4), torch.randn(2, 3, 8)
    out, which = kernels.maxout_forward(x, weight, bias, DROPOUT)
    backward = out, x, weight, which, None, 0.5, True, False, "reference"
    torch.library.opcheck(maxout_op._fused.backward_op, backward)
    lists = [[torch.randn(3, 4), torch.randn(3)] for _ in range(3)]
    rates = OFFSET.double(), OFFSET.double()
    torch.library.opcheck(sgd_op._op, (*lists, *rates, [1.0, 2.0], "reference"))


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
def test_tuned_tables_change_what_specs_declare(arch: str) -> None:
    table = dispatch.tuned_table(arch)
    assert table.keys() == {"measured_on", "extends", "configs", "auto"}
    # Nobody has measured: then `auto` must not leave the reference.
    assert table["measured_on"] or not table["auto"]
    assert table["auto"].keys() <= specs().keys()
    for spec in specs().values():
        for kernel, defaults in spec.settings.items():
            for variant, settings in table["configs"].get(kernel, {}).items():
                assert settings.keys() == defaults[variant].keys()


def test_what_nobody_tuned_has_the_settings_of_its_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = {"sgd_kernel": {"float32": {"BLOCK": 1, "num_warps": 1}}}
    monkeypatch.setattr(dispatch, "tuned_table", lambda _: {"extends": None, "configs": tuned})
    settings = dispatch.settings_of.__wrapped__("sm_90")
    defaults = specs()["sgd_momentum_max_norm_"].settings
    assert settings["sgd_kernel"]["float32"] == {"BLOCK": 1, "num_warps": 1}
    assert settings["sgd_kernel"]["bfloat16"] == defaults["sgd_kernel"]["bfloat16"]
    assert settings["sgd_max_norm_kernel"] == defaults["sgd_max_norm_kernel"]


def test_a_table_changes_the_one_that_it_extends(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        "old": {"extends": None, "configs": {"sgd_kernel": {"float32": {"BLOCK": 1}}}},
        "new": {"extends": "old", "configs": {"sgd_kernel": {"bfloat16": {"BLOCK": 2}}}},
    }
    monkeypatch.setattr(dispatch, "tuned_table", tables.__getitem__)
    monkeypatch.setattr(dispatch, "settings_of", dispatch.settings_of.__wrapped__)
    settings = dispatch.settings_of("new")["sgd_kernel"]
    assert settings == {"float32": {"BLOCK": 1}, "bfloat16": {"BLOCK": 2}}


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((8, 0), "sm_80"),
        ((8, 9), "sm_80"),
        ((9, 0), "sm_90"),
        ((10, 3), "sm_100"),
        ((11, 0), "sm_100"),
        ((12, 1), "sm_120"),
        ((13, 0), "sm_120"),
    ],
)
def test_a_gpu_takes_the_newest_settings_that_are_not_newer(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert dispatch.architecture.__wrapped__(torch.device("cuda")) == expected


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
    inputs = torch.randn(2, 5, 4), torch.randn(2, 3, 8, 4), torch.randn(2, 3, 8)
    message = r"maxout: autocast: should be to bfloat16, got torch.float16; use torch.autocast"
    with torch.autocast("cpu", torch.float16), pytest.raises(ValueError, match=message):
        kernels.maxout(*inputs)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"{}", b"\xff", b"[" * 100_000])
def test_a_damaged_table_is_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sm_90.json").write_bytes(content)
    monkeypatch.setattr(dispatch, "TUNED", tmp_path)
    for arch in ("sm_90", "sm_80"):
        with pytest.raises(ValueError, match=rf"{arch}\.json: is no table of tuned settings, got"):
            dispatch.tuned_table.__wrapped__(arch)
