"""Every op's benchmark at the paper's sizes, beside what people would write for it in torch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.spec import Benchmark, specs


def cases(device: str, dtype: torch.dtype, seeds: int, scale: int, impl: str) -> list[Benchmark]:
    """Returns the benchmark of every op that declares one.

    Args:
        device: torch device.
        dtype: of the floating inputs.
        seeds: S, trained together; only where the op has a seed dimension.
        scale: multiplies the batch (or the number of points).
        impl: what our ops are asked for.
    """
    make = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> Tensor:
        tensor = torch.randn(shape, generator=make)
        return tensor.to(device=device, dtype=dtype)

    return [
        spec.benchmark(randn, seeds, scale, impl) for spec in specs().values() if spec.benchmark
    ]


def runnable(case: Benchmark, call: Callable[..., Any]) -> Callable[[], Any]:
    """Returns a call without arguments: the forward, and the backward where the case has one."""
    if not case.backward:
        return torch.no_grad()(lambda: call(*case.inputs))
    inputs = [tensor.detach().requires_grad_() for tensor in case.inputs]
    weights = torch.randn_like(call(*inputs))

    def both() -> Any:
        return torch.autograd.grad(call(*inputs), inputs, weights)

    return both
