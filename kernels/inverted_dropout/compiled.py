"""All factors of a network's dropout in one compiled loop on a CPU: the bits of `philox`."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ganbench_kernels import philox
from ganbench_kernels.dispatch import can_compile

# Compiling takes seconds; smaller masks are drawn in well under a millisecond without it.
WORTH_ELEMENTS = 1 << 17


class Part(NamedTuple):
    """One layer's mask among the blocks drawn for all."""

    shape: torch.Size
    size: int  # elements of one seed
    blocks: int
    threshold: int
    scale: float


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
    parts = []
    for shape, keep in zip(shapes, keeps, strict=True):
        size, threshold = shape.numel() // seed.numel(), philox.keep_lanes(keep)
        parts.append(Part(shape, size, philox.blocks(size, threshold), threshold, 1 / keep))
    places = philox.places(tuple(part.blocks for part in parts), seed.device)
    return _compiled()(*places, seed.reshape(-1, 1), offset, tuple(parts), dtype)


@cache
def _compiled():
    return torch.compile(_factors, dynamic=False, fullgraph=True)


def _factors(
    block: Tensor,
    number: Tensor,
    seeds: Tensor,
    offset: Tensor,
    parts: tuple[Part, ...],
    dtype: torch.dtype,
) -> list[Tensor]:
    """Lanes by shifts, which the compiler fuses; views of other widths would split the loop."""
    bits = philox.words(block, number, seeds, offset)
    found = []
    for words, part in zip(bits.split([part.blocks for part in parts], 1), parts, strict=True):
        if philox.is_one_bit(part.threshold):
            lanes = words.unsqueeze(-1) >> torch.arange(32, dtype=torch.int32) & 1
            kept = lanes == 0
        else:
            kept = torch.stack([words & 0xFFFF, words >> 16 & 0xFFFF], -1) < part.threshold
        kept = kept.reshape(len(seeds), -1)[:, : part.size].reshape(part.shape)
        found.append(kept.to(dtype) * part.scale)
    return found
