"""Launches the maxout kernels on contiguous copies of their inputs."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

from typing import Any

import torch
import triton
from torch import Tensor

from ganbench_kernels.affine_maxout import kernels
from ganbench_kernels.dispatch import dot_precision, dtype_name, kernel_config
from ganbench_kernels.inverted_dropout.launch import mask_arguments
from ganbench_kernels.launching import launch
from ganbench_kernels.reference import Dropout

INPUT_PRECISION = {"float32": "ieee", "tf32": "tf32", "bfloat16": "ieee"}


def forward(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None
) -> tuple[Tensor, Tensor]:
    """Runs `maxout_fwd_kernel`: as `reference.maxout_forward`."""
    seeds, rows, size = _sizes(x)
    pieces, units = weight.shape[-3:-1]
    out = x.new_empty(*x.shape[:-1], units)
    which = torch.empty_like(out, dtype=torch.uint8)
    # A grid without programs is an error of the driver's.
    if out.numel() == 0:
        return out, which
    variant = dot_precision(x.dtype)
    config = kernel_config("maxout_fwd_kernel", variant, x.device)
    grid = (triton.cdiv(rows, config["BLOCK_N"]), triton.cdiv(units, config["BLOCK_U"]), seeds)
    # The dropout of the next layer's input is drawn in the same kernel: it saves a pass over the
    # output.
    mask = mask_arguments(dropout, x)
    launch(kernels.maxout_fwd_kernel, grid,
        x, weight, bias, out, which,
        mask.seed, mask.offset, rows, units, size, pieces, mask.threshold, mask.scale,
        reach=_reach(config, rows, units, size), writes=(out, which),
        DROPOUT=mask.present, ONE_BIT=mask.one_bit, GROUP=8 if units % 8 == 0 else 1,
        PRECISION=INPUT_PRECISION[variant], **config,
    )  # fmt: skip
    return out, which


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, which: Tensor, row_weight: Tensor | None,
    keep: float, needs_x: bool, needs_weight: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Runs the backward kernels: as `reference.maxout_backward`, with empty unneeded gradients."""
    grad, which = grad.contiguous(), which.contiguous()
    # Three tensors: outputs of a registered op may not share memory.
    grad_x, grad_weight, grad_bias = (x.new_empty(0) for _ in range(3))
    # The first layer of a network needs no gradient of its input, and some calls none of the
    # weights.
    if needs_x:
        grad_x = _grad_input(grad, x, weight.contiguous(), which, keep)
    if needs_weight:
        grad_weight, grad_bias = _grad_weight(grad, x.contiguous(), weight, which, row_weight, keep)
    return grad_x, grad_weight, grad_bias


def _grad_input(grad: Tensor, x: Tensor, weight: Tensor, which: Tensor, keep: float) -> Tensor:
    seeds, rows, size = _sizes(x)
    pieces, units = weight.shape[-3:-1]
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if grad_x.numel() == 0:
        return grad_x
    variant = dot_precision(x.dtype)
    config = kernel_config("maxout_bwd_input_kernel", variant, x.device)
    grid = (triton.cdiv(rows, config["BLOCK_N"]), triton.cdiv(size, config["BLOCK_D"]), seeds)
    launch(kernels.maxout_bwd_input_kernel, grid,
        grad, weight, which, grad_x, rows, units, size, pieces, 1 / keep,
        reach=_reach(config, rows, units, size), writes=(grad_x,),
        PRECISION=INPUT_PRECISION[variant], **config,
    )  # fmt: skip
    return grad_x


def _grad_weight(
    grad: Tensor, x: Tensor, weight: Tensor, which: Tensor, row_weight: Tensor | None, keep: float
) -> tuple[Tensor, Tensor]:
    seeds, rows, size = _sizes(x)
    pieces, units = weight.shape[-3:-1]
    grad_weight = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)
    grad_bias = grad_weight.new_empty(weight.shape[:-1])
    if grad_bias.numel() == 0:
        return grad_weight, grad_bias
    variant = dot_precision(x.dtype)
    config = kernel_config("maxout_bwd_weight_kernel", variant, x.device)
    # Without inputs there is still a bias, which the first block of columns writes.
    blocks = triton.cdiv(units, config["BLOCK_U"]), max(1, triton.cdiv(size, config["BLOCK_D"]))
    launch(kernels.maxout_bwd_weight_kernel, (*blocks, seeds * pieces),
        grad, x, which, x if row_weight is None else row_weight,
        grad_weight, grad_bias, rows, units, size, pieces, 1 / keep,
        reach=_reach(config, rows, units, size), writes=(grad_weight, grad_bias),
        WEIGHTED=row_weight is not None, PRECISION=INPUT_PRECISION[variant], **config,
    )  # fmt: skip
    return grad_weight, grad_bias


def epilogue_forward(affine: Tensor, pieces: int, dropout: Dropout | None) -> tuple[Tensor, Tensor]:
    """Returns maxout's output and winners from all affine pieces.

    Args:
        affine: contiguous [S, N, P * U].
        pieces: P.
        dropout: as in `reference.maxout_forward`.
    """
    # Pieces lie one after the other, so that a unit's pieces are `units` apart.
    units = affine.shape[-1] // pieces
    out = affine.new_empty(*affine.shape[:-1], units)
    which = torch.empty_like(out, dtype=torch.uint8)
    if out.numel() == 0:
        return out, which
    seeds, rows, _ = _sizes(affine)
    config = kernel_config("maxout_epilogue_fwd_kernel", dtype_name(affine.dtype), affine.device)
    mask = mask_arguments(dropout, affine)
    launch(kernels.maxout_epilogue_fwd_kernel, (triton.cdiv(rows * units, config["BLOCK"]), seeds),
        affine, out, which, mask.seed, mask.offset, rows * units, units, pieces,
        mask.threshold, mask.scale,
        reach=units * pieces, writes=(out, which),
        DROPOUT=mask.present, ONE_BIT=mask.one_bit, **config,
    )  # fmt: skip
    return out, which


def epilogue_backward(grad: Tensor, which: Tensor, pieces: int, keep: float) -> Tensor:
    """Returns the gradient of all affine pieces, [S, N, P * U]."""
    seeds, rows, units = _sizes(grad)
    routed = grad.new_empty(*grad.shape[:-1], pieces * units)
    if routed.numel() == 0:
        return routed
    config = kernel_config("maxout_epilogue_bwd_kernel", dtype_name(grad.dtype), grad.device)
    launch(kernels.maxout_epilogue_bwd_kernel, (triton.cdiv(rows * units, config["BLOCK"]), seeds),
        grad, which, routed, rows * units, units, pieces, 1 / keep,
        reach=units * pieces, writes=(routed,), **config,
    )  # fmt: skip
    return routed


def _reach(config: dict[str, Any], rows: int, units: int, size: int) -> int:
    """The largest offset inside a tile, or the number of a row beyond the last."""
    # Offsets in the kernels are 32 bits; `launch` refuses a call whose largest does not fit.
    tile = max(config["BLOCK_N"], config["BLOCK_U"])
    return max(rows + tile, tile * units, tile * size)


def _sizes(x: Tensor) -> tuple[int, int, int]:
    """Seeds, rows and columns of [S, N, D] or [N, D]."""
    *seeds, rows, columns = x.shape
    return seeds[0] if seeds else 1, rows, columns
