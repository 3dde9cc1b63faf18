"""The public maxout_pool2d and its gradient."""

from typing import Any

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.checks import check_floating
from ganbench_kernels.dispatch import Impl, choose
from ganbench_kernels.registration import FusedOp

MAX_CANDIDATES = 256


def maxout_pool2d(
    x: Tensor, pieces: int, kernel_size: int, stride: int, impl: Impl = "auto"
) -> Tensor:
    """Returns the maximum over each channel's pieces and over spatial windows, [N, C, H', W'].

    Windows at the lower and right border may be partial (ceil mode). Differentiable once; the
    first candidate in order of piece, row and column wins ties.

    Args:
        x: [N, C * pieces, H, W]; the pieces of channel c are c * pieces + p.
        pieces: of each channel.
        kernel_size: side of the windows.
        stride: step between windows, at most `kernel_size`.
        impl: "reference" is plain torch, "triton" one kernel; "auto" the faster one.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.
    """
    check_floating("maxout_pool2d", x=x)
    _check_sizes(x, pieces, kernel_size, stride)
    chosen = choose("maxout_pool2d", impl, x, x.numel())
    return _fused(x, pieces, kernel_size, stride, chosen)[0]


def _check_sizes(x: Tensor, pieces: int, kernel_size: int, stride: int) -> None:
    if x.dim() != 4 or pieces < 1 or x.shape[1] % pieces:
        raise ValueError(
            "maxout_pool2d: x: should be [N, C * pieces, H, W], got "
            f"{list(x.shape)} with {pieces} pieces; reshape it"
        )
    if not 1 <= stride <= kernel_size:
        raise ValueError(
            f"maxout_pool2d: stride: not in 1..{kernel_size} (kernel_size), got {stride}; "
            "a larger step would skip pixels"
        )
    height, width = x.shape[2:]
    if kernel_size > min(height, width):
        raise ValueError(
            f"maxout_pool2d: kernel_size: should fit in the map of {height} x {width}, got "
            f"{kernel_size}; take a smaller window"
        )
    if pieces * kernel_size**2 > MAX_CANDIDATES:
        raise ValueError(
            f"maxout_pool2d: pieces, kernel_size: more than {MAX_CANDIDATES} candidates a window, "
            f"got {pieces} * {kernel_size}^2; which one won is held in one byte"
        )


def output_side(side: int, kernel_size: int, stride: int) -> int:
    """Returns the pooled height or width: every pixel is covered, every window starts inside."""
    # As torch: a last window that would start beyond the map is left out.
    windows = -(-(side - kernel_size) // stride) + 1
    return windows if (windows - 1) * stride < side else windows - 1


def _shape(x: Tensor, pieces: int, kernel_size: int, stride: int) -> tuple[int, ...]:
    sides = (output_side(side, kernel_size, stride) for side in x.shape[2:])
    return (x.shape[0], x.shape[1] // pieces, *sides)


def _forward(
    x: Tensor, pieces: int, kernel_size: int, stride: int, impl: str
) -> tuple[Tensor, Tensor]:
    if impl == "reference":
        return reference.maxout_pool2d(x, pieces, kernel_size, stride)
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.pooled_maxout import launch

    shape = _shape(x, pieces, kernel_size, stride)
    return launch.forward(x, pieces, kernel_size, stride, shape)


def _backward(
    grad: Tensor, x: Tensor, where: Tensor, pieces: int, kernel_size: int, stride: int, impl: str
) -> Tensor:
    if impl == "reference":
        return reference.maxout_pool2d_backward(grad, x, where, pieces, kernel_size, stride)
    from ganbench_kernels.pooled_maxout import launch

    return launch.backward(grad, x, where, pieces, kernel_size, stride)


def _forward_fake(
    x: Tensor, pieces: int, kernel_size: int, stride: int, impl: str
) -> tuple[Tensor, Tensor]:
    out = x.new_empty(_shape(x, pieces, kernel_size, stride))
    # torch keeps places in the map, the kernel a window's candidate in one byte.
    dtype = torch.int64 if impl == "reference" else torch.uint8
    return out, torch.empty_like(out, dtype=dtype)


def _backward_fake(grad: Tensor, x: Tensor, *_: Any) -> Tensor:
    del grad
    return x.new_empty(x.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    # The input's values are not needed, but torch's own backward asks for its shape.
    x, *ctx.settings = inputs
    ctx.save_for_backward(x, output[1])


def _backward_arguments(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    return grad, *ctx.saved_tensors, *ctx.settings


_fused = FusedOp(
    "maxout_pool2d",
    forward=_forward,
    fake=_forward_fake,
    backward=_backward,
    backward_fake=_backward_fake,
    save=_save,
    arguments=_backward_arguments,
)
