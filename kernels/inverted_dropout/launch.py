"""Launches the dropout kernel, and prepares masks for kernels that draw their own."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

from typing import NamedTuple

import torch
import triton
from torch import Tensor

from ganbench_kernels.dispatch import dtype_name, kernel_config
from ganbench_kernels.inverted_dropout import kernels
from ganbench_kernels.launching import launch
from ganbench_kernels.philox import LANES, keep_lanes
from ganbench_kernels.reference import Dropout


class MaskArguments(NamedTuple):
    """What a kernel needs to draw a mask."""

    present: bool
    seed: Tensor
    offset: Tensor
    threshold: int
    scale: float
    one_bit: bool


def mask_arguments(dropout: Dropout | None, stand_in: Tensor) -> MaskArguments:
    """Returns a mask's arguments; without dropout, `stand_in` fills the unused pointers."""
    if dropout is None or keep_lanes(dropout.keep) == LANES:
        return MaskArguments(False, stand_in, stand_in, 0, 1.0, False)
    # Keep probability one half needs one random bit an element in place of sixteen.
    lanes = keep_lanes(dropout.keep)
    one_bit = 2 * lanes == LANES
    return MaskArguments(
        True, dropout.seed.contiguous(), dropout.offset, 1 if one_bit else lanes,
        1 / dropout.keep, one_bit,
    )  # fmt: skip


def dropout(x: Tensor, keep: float, seed: Tensor, offset: Tensor) -> Tensor:
    """Runs `dropout_kernel`: as `reference.dropout`."""
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if out.numel() == 0:
        return out
    config = kernel_config("dropout_kernel", dtype_name(x.dtype), x.device)
    mask = mask_arguments(Dropout(keep, seed, offset), x)
    # The second dimension of the grid is the seed: each has a key and counters of its own.
    size = x.numel() // seed.numel()
    launch(kernels.dropout_kernel, (triton.cdiv(size, config["BLOCK"]), seed.numel()),
        x, out, mask.seed, mask.offset, size, mask.threshold, mask.scale,
        writes=(out,), ONE_BIT=mask.one_bit, **config,
    )  # fmt: skip
    return out
