"""Launches the optimiser kernels, one for each parameter."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

from collections.abc import Sequence

import triton
from torch import Tensor

from ganbench_kernels.dispatch import dtype_name, kernel_config
from ganbench_kernels.launching import launch
from ganbench_kernels.sgd import kernels


def step(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: float | Tensor,
    momentum: float | Tensor,
    bounds: Sequence[float | None],
) -> None:
    """Updates contiguous parameters and velocities: as `reference.sgd_momentum_max_norm_`."""
    # The reference takes 0-d CPU tensors beside a GPU's; a kernel takes their numbers.
    if parameters[0].is_cuda:
        lr, momentum = (
            rate.item() if isinstance(rate, Tensor) and not rate.is_cuda else rate
            for rate in (lr, momentum)
        )
    # Rates in device memory let a recorded graph be replayed with other rates.
    flags = {
        "TENSOR_LR": isinstance(lr, Tensor),
        "TENSOR_MOMENTUM": isinstance(momentum, Tensor),
    }
    tensors = zip(parameters, velocities, gradients, bounds, strict=True)
    for parameter, velocity, gradient, bound in tensors:
        if parameter.numel() == 0:
            continue
        name = "sgd_kernel" if bound is None else "sgd_max_norm_kernel"
        config = kernel_config(name, dtype_name(parameter.dtype), parameter.device) | flags
        data = parameter, velocity, gradient, lr, momentum
        config["writes"] = parameter, velocity
        # Without a bound any block of numbers will do. With one a program holds a unit's whole
        # vector, whose norm it needs before it writes.
        if bound is None:
            grid = (triton.cdiv(parameter.numel(), config["BLOCK"]),)
            launch(kernels.sgd_kernel, grid, *data, parameter.numel(), **config)
        else:
            size = parameter.shape[-1]
            grid = (parameter.numel() // size,)
            config["reach"] = size + config["BLOCK"]
            launch(kernels.sgd_max_norm_kernel, grid, *data, bound, size, **config)
