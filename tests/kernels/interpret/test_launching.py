"""What every launch passes through: devices, and what a GPU cannot take."""

from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import ganbench_kernels as kernels
from ganbench_kernels import launching
from ganbench_kernels.affine_maxout import op as maxout_op
from ganbench_kernels.parzen import op as parzen_op

SEEDS, OFFSET = torch.tensor([5, 6]), torch.tensor(9)
MASK = 0.5, SEEDS, OFFSET
MAXOUT = torch.ones(2, 9, 4), torch.ones(2, 3, 8, 4), torch.ones(2, 3, 8)
WHICH = torch.zeros(2, 9, 8, dtype=torch.uint8)
ROUTED = torch.ones(2, 9, 8), *MAXOUT[:2], WHICH, None, 1.0, True, True
LOGITS = torch.ones(2, 9)
PARZEN = torch.ones(3, 2), LOGITS, LOGITS, torch.ones(3), torch.zeros(3, 2)


def steps(*bounds: float | None) -> None:
    """Updates with rates that are numbers, which live on no device."""
    lists = [[torch.ones(2, 4) for _ in bounds] for _ in range(3)]
    kernels.sgd_momentum_max_norm_(*lists, 0.1, 0.5, bounds, impl="triton")


def pool(x: Tensor) -> None:
    kernels.maxout_pool2d(x, 2, 2, 2, impl="triton").sum().backward()


# How many launches each makes.
LAUNCHES: dict[str, tuple[int, Callable[[], Any]]] = {
    "maxout": (1, lambda: maxout_op._forward(*MAXOUT, *MASK, "triton")),
    "maxout_backward": (2, lambda: maxout_op._backward(*ROUTED, "triton")),
    "epilogue": (1, lambda: maxout_op._forward(*MAXOUT, *MASK, "triton_epilogue")),
    "epilogue_backward": (1, lambda: maxout_op._backward(*ROUTED, "triton_epilogue")),
    "dropout": (1, lambda: kernels.dropout(MAXOUT[0], *MASK, impl="triton")),
    "maxout_pool2d": (2, lambda: pool(torch.ones(2, 4, 6, 6, requires_grad=True))),
    "adversarial_loss": (
        1, lambda: kernels.adversarial_loss(LOGITS, LOGITS, "hinge", impl="triton")
    ),
    "adversarial_loss of many": (
        2, lambda: kernels.adversarial_loss(*torch.ones(2, 1, 33_000), "hinge", impl="triton")
    ),
    "parzen": (
        1, lambda: kernels.parzen_log_likelihood(LOGITS, LOGITS, torch.ones(3), impl="triton")
    ),
    "parzen_backward": (3, lambda: parzen_op._backward(*PARZEN, "triton")),
    "sgd": (2, lambda: steps(None, 1.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAUNCHES)
def test_every_launch_is_on_its_tensors_device(name: str, monkeypatch: Any) -> None:
    inside: list[Tensor] = []
    entered = []

    @contextmanager
    def device_of(tensor: Tensor) -> Any:
        inside.append(tensor)
        entered.append(tensor)
        yield
        inside.pop()

    from triton.runtime.interpreter import GridExecutor

    run, launched = GridExecutor.__call__, []

    def watched(self: Any, *arguments: Any, **constants: Any) -> Any:
        assert inside, "a launch outside of its device"
        launched.append(self)
        return run(self, *arguments, **constants)

    monkeypatch.setattr(torch.cuda, "device_of", device_of)
    monkeypatch.setattr(GridExecutor, "__call__", watched)
    count, call = LAUNCHES[name]
    call()
    assert len(launched) == len(entered) == count


def test_tensors_of_two_devices_are_refused() -> None:
    kernel: Any = SimpleNamespace(fn=SimpleNamespace(__name__="some_kernel"))
    tensors = torch.ones(2), torch.ones(2, device="meta")
    message = r"some_kernel: tensors: should be on cpu as the first is, got one on meta; move it"
    with pytest.raises(ValueError, match=message):
        launching.launch(kernel, (1,), *tensors, writes=())


def refuse(limit: str, value: Any, monkeypatch: Any, call: Callable[[], Any], match: str) -> None:
    """At a smaller limit, as no machine here holds what exceeds the real one."""
    monkeypatch.setattr(launching, limit, value)
    with pytest.raises(ValueError, match=match):
        call()


def test_more_seeds_than_a_grid_takes_are_refused() -> None:
    seeds = 65_536
    x = torch.ones(seeds, 1)
    match = r"dropout_kernel: grid: should be at most \(2147483647, 65535, 65535\), got"
    with pytest.raises(ValueError, match=match):
        kernels.dropout(x, 0.5, torch.arange(seeds), OFFSET, impl="triton")
    with pytest.raises(ValueError, match=r"adversarial_loss_kernel: grid: should be at most"):
        kernels.adversarial_loss(x, x, "hinge", impl="triton")


@pytest.mark.parametrize("name", LAUNCHES)
def test_every_launch_checks_its_grid(name: str, monkeypatch: Any) -> None:
    refuse("GRID", (0, 0, 0), monkeypatch, LAUNCHES[name][1], r"_kernel: grid: should be at most")


@pytest.mark.parametrize(
    "name", [name for name in LAUNCHES if name != "dropout" and "loss" not in name]
)
def test_offsets_of_32_bits_are_bounded(name: str, monkeypatch: Any) -> None:
    """The others count in 64 bits everywhere."""
    message = r"_kernel: sizes: reach \d+ numbers from a tile's first, should be below 2; "
    refuse("OFFSETS", 2, monkeypatch, LAUNCHES[name][1], message)
