"""Launches the kernels of maxout_pool2d."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

import torch
import triton
from torch import Tensor

from ganbench_kernels.dispatch import dtype_name, kernel_config
from ganbench_kernels.launching import launch
from ganbench_kernels.pooled_maxout import kernels


def forward(
    x: Tensor, pieces: int, kernel_size: int, stride: int, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Returns the maxima of `shape` and which candidate of each window won (uint8)."""
    out = x.new_empty(shape)
    which = torch.empty_like(out, dtype=torch.uint8)
    # One program for a block of outputs, whatever map or channel they are of.
    if out.numel():
        config = kernel_config("maxout_pool2d_fwd_kernel", dtype_name(x.dtype), x.device)
        launch(kernels.maxout_pool2d_fwd_kernel, (triton.cdiv(out.numel(), config["BLOCK"]),),
            x, out, which, out.numel(), *x.shape[2:], *shape[2:],
            reach=pieces * x.shape[2:].numel(), writes=(out, which),
            PIECES=pieces, KERNEL=kernel_size, STRIDE=stride, **config,
        )  # fmt: skip
    return out, which


def backward(
    grad: Tensor, x: Tensor, which: Tensor, pieces: int, kernel_size: int, stride: int
) -> Tensor:
    """Returns the gradient of x."""
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    # The gradient gathers: each input pixel looks up the windows that it may have won, so that no
    # two programs write to one place.
    if grad_x.numel():
        config = kernel_config("maxout_pool2d_bwd_kernel", dtype_name(x.dtype), x.device)
        launch(kernels.maxout_pool2d_bwd_kernel, (triton.cdiv(grad_x.numel(), config["BLOCK"]),),
            grad, which, grad_x, grad_x.numel(), *x.shape[2:], *which.shape[2:],
            reach=pieces * x.shape[2:].numel(), writes=(grad_x,),
            PIECES=pieces, KERNEL=kernel_size, STRIDE=stride, **config,
        )  # fmt: skip
    return grad_x
