"""The one place where kernels are launched."""

from typing import Any

import torch
from torch import Tensor

# Programs that a GPU takes along x, y and z, and what 32 bits count.
GRID = 2**31 - 1, 65_535, 65_535
OFFSETS = 2**31


def launch(
    kernel: Any,
    grid: tuple[int, ...],
    *arguments: Any,
    writes: tuple[Tensor | None, ...],
    reach: int = 0,
    **constants: Any,
) -> None:
    """Launches a kernel, which reads and writes its tensors row by row whatever their strides.

    It runs on the tensors' GPU: Triton by itself takes the current one, which may be another.

    Args:
        kernel: a function of Triton.
        grid: numbers of programs.
        arguments: in the kernel's order; tensors that it only reads are copied where they are not
            contiguous.
        writes: those of the tensors that it writes.
        reach: the largest offset that the kernel works out in 32 bits.
        constants: compile-time constants and compiler options.

    Raises:
        ValueError: a tensor to be written is not contiguous, a tensor is on another device, or the
            sizes are more than a GPU's grid or the kernel's offsets can count.
    """
    _check_sizes(kernel, grid, reach)
    written = {id(tensor) for tensor in writes}
    ready = [
        _row_by_row(kernel, argument, id(argument) in written)
        if isinstance(argument, Tensor)
        else argument
        for argument in arguments
    ]
    tensors = [argument for argument in ready if isinstance(argument, Tensor)]
    _check_device(kernel, tensors)
    with torch.cuda.device_of(tensors[0]):
        kernel[grid](*ready, **constants)


def _check_sizes(kernel: Any, grid: tuple[int, ...], reach: int) -> None:
    if any(programs > most for programs, most in zip(grid, GRID, strict=False)):
        raise ValueError(
            f"{kernel.fn.__name__}: grid: should be at most {GRID}, got {grid}; "
            "take fewer seeds at once, or impl='reference'"
        )
    if reach >= OFFSETS:
        raise ValueError(
            f"{kernel.fn.__name__}: sizes: reach {reach} numbers from a tile's first, should be "
            f"below {OFFSETS}; split them, or take impl='reference'"
        )


def _row_by_row(kernel: Any, tensor: Tensor, written: bool) -> Tensor:
    if not written:
        # A lazily negated view has the strides of what it negates.
        return tensor.resolve_neg().contiguous()
    if not tensor.is_contiguous() or tensor.is_neg():
        raise ValueError(
            f"{kernel.fn.__name__}: output: should be contiguous, got strides {tensor.stride()}; "
            "call .contiguous() when making it"
        )
    return tensor


def _check_device(kernel: Any, tensors: list[Tensor]) -> None:
    for tensor in tensors:
        if tensor.device != tensors[0].device:
            raise ValueError(
                f"{kernel.fn.__name__}: tensors: should be on {tensors[0].device} as the first is, "
                f"got one on {tensor.device}; move it"
            )
