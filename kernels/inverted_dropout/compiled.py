"""All factors of a network's dropout in one compiled loop on a CPU: the bits of `philox`."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from ganbench_kernels import philox
from ganbench_kernels.dispatch import can_compile

# Compiling takes seconds; smaller masks are drawn in well under a millisecond without it.
WORTH_ELEMENTS = 1 << 17


def worth_compiling(shapes: Sequence[torch.Size], device: torch.device) -> bool:
    """Returns whether `factors` pays for masks of these shapes, and can be built here."""
    size = sum(shape.numel() for shape in shapes)
    return size >= WORTH_ELEMENTS and device.type == "cpu" and can_compile()


def factors(
    shapes: Sequence[torch.Size],
    keeps: Sequence[float],
    seed: Tensor,
    offset: Tensor,
    dtype: torch.dtype,
) -> list[Tensor]:
    """Returns `philox.dropout_masks` of the same arguments as numbers: 0, or 1 / keep."""
    return _compiled(tuple(shapes), tuple(keeps), dtype)(seed.reshape(-1, 1), offset)


@cache
def _compiled(
    shapes: tuple[torch.Size, ...], keeps: tuple[float, ...], dtype: torch.dtype
) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """A function of keys [S, 1] and the first mask's offset."""

    def draw(seeds: Tensor, offset: Tensor) -> list[Tensor]:
        return [
            _factor(shape, keep, seeds, offset + number, dtype)
            for number, (shape, keep) in enumerate(zip(shapes, keeps, strict=True))
        ]

    # No full graph demanded: below a dispatch mode, such as a FLOP counter, it runs uncompiled.
    return torch.compile(draw, dynamic=False)


def _factor(
    shape: torch.Size, keep: float, seeds: Tensor, offset: Tensor, dtype: torch.dtype
) -> Tensor:
    """Lanes by shifts, which the compiler fuses; views of other widths would split the loop."""
    count, threshold = len(seeds), philox.keep_lanes(keep)
    size = shape.numel() // count
    block = torch.arange(philox.blocks(size, threshold)).unsqueeze(0)
    words = philox.words(block, seeds, offset)
    if philox.is_one_bit(threshold):
        bits = torch.stack(words, -1).to(torch.int32).unsqueeze(-1)
        factors = (bits >> torch.arange(32, dtype=torch.int32) & 1 == 0).to(dtype) * (1 / keep)
    else:
        lanes = [word >> shift & 0xFFFF for word in words for shift in (0, 16)]
        factors = torch.stack([(lane < threshold).to(dtype) * (1 / keep) for lane in lanes], -1)
    return factors.reshape(count, -1)[:, :size].reshape(shape)
