"""Allocates weights and momentum in huge pages, because every update reads all of them."""

import mmap
from contextlib import suppress

import torch
from jaxtyping import Shaped
from torch import Tensor

# Of x86-64 and of most others.
HUGE_PAGE_BYTES = 1 << 21


def zeros(count: int, dtype: torch.dtype) -> Shaped[Tensor, " count"]:
    """Returns zeros on the CPU, in huge pages where the system gives them for the asking.

    In pages of 4 KiB a core finds only a part of the weights and momentum without a walk through
    the page table: huge ones take one to two per cent off a training update.
    """
    size = count * dtype.itemsize
    if size < HUGE_PAGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(count, dtype=dtype)
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # Kernels that have no huge pages say so here, and lose nothing but time.
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype, count=count)
