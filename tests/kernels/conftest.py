"""Keeps the proofs apart, and runs the examples that every op's spec declares.

Triton's interpreter and its compiler need a process each: `pytest tests` runs the plain proof only;
the others run when their folder is named.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench_kernels.spec import Example

OWN_PROCESS = ("interpret", "aot")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    folder = Path(__file__).parent
    if collection_path.parent != folder or collection_path.name not in OWN_PROCESS:
        return None
    named = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    asked = any(path.is_relative_to(collection_path) for path in named)
    return None if asked else True


@pytest.fixture
def cut_to_tf32() -> Callable[[Tensor], Tensor]:
    """Returns what a product of Triton makes of a float32 factor in TF32.

    The hardware leaves out the mantissa's last 13 bits; torch's library rounds them away before.
    """
    return lambda x: (x.float().view(torch.int32) & ~0x1FFF).view(torch.float32).to(x.dtype)


@pytest.fixture
def run_example() -> Callable[..., list[Tensor]]:
    """Returns a function from a call and an example to outputs and gradients of the inputs."""

    def run(
        call: Callable[..., Any],
        example: Example,
        impl: str,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        wide: bool = False,
    ) -> list[Tensor]:
        inputs, rest = example.inputs(dtype, device, wide)
        if example.backward:
            inputs = tuple(tensor.requires_grad_() for tensor in inputs)
        out = call(*inputs, *rest, impl=impl)
        outs = list(out) if isinstance(out, tuple) else [out]
        if not example.backward:
            return outs
        # Another weight for each element, so that no two errors cancel.
        generator = torch.Generator().manual_seed(1)
        weights = [torch.randn(one.shape, generator=generator).to(one) for one in outs]
        return [*outs, *torch.autograd.grad(outs, inputs, weights)]

    return run
