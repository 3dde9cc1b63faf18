"""Dropout masks in Triton, bit for bit those of `ganbench_kernels.philox`."""

import triton
import triton.language as tl


@triton.jit
def kept_lanes(first, member, seed, offset, threshold, ONE_BIT: tl.constexpr):
    """Whether elements first + member are kept.

    All members of one `first` lie in the same Philox block, and in the same word when a lane is
    one bit, so that the ten rounds run once for each `first`.
    """
    # The counter of `philox.py`: index of the block, zero, and both halves of the offset.
    block = (first // (128 if ONE_BIT else 8)).to(tl.uint32)
    zero = block * 0
    low = zero + (offset & 0xFFFFFFFF).to(tl.uint32)
    high = zero + ((offset >> 32) & 0xFFFFFFFF).to(tl.uint32)
    c0, c1, c2, c3 = tl.philox(seed, block, zero, low, high)
    # At a keep of one half a bit is enough: 128 elements from each call instead of eight.
    if ONE_BIT:
        word = (first // 32) % 4
        bits = tl.where(word < 2, tl.where(word == 0, c0, c1), tl.where(word == 2, c2, c3))
        lane = (bits >> (first % 32 + member).to(tl.uint32)) & 1
    else:
        # Two lanes of 16 bits in each word, the low one first.
        index = first % 8 + member
        word = index // 2
        bits = tl.where(word < 2, tl.where(word == 0, c0, c1), tl.where(word == 2, c2, c3))
        lane = (bits >> (index % 2 * 16).to(tl.uint32)) & 0xFFFF
    return lane.to(tl.int32) < threshold


@triton.jit
def dropout_kernel(
    x_ptr,  # [S, size]
    out_ptr,  # [S, size]
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    size,
    threshold,
    scale,
    ONE_BIT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    tile, s = tl.program_id(0), tl.program_id(1)
    seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
    start = tile.to(tl.int64) * BLOCK
    # Groups of eight share the ten rounds; BLOCK and eight are powers of two, so that they fit.
    first = start + 8 * tl.arange(0, BLOCK // 8)[:, None]
    kept = kept_lanes(first, tl.arange(0, 8)[None, :], seed, offset, threshold, ONE_BIT)
    elements = start + tl.arange(0, BLOCK)
    inside = elements < size
    # Where the seed's slice starts, in 64 bits: all seeds together may pass 2^31 elements.
    base = s.to(tl.int64) * size
    x = tl.load(x_ptr + base + elements, mask=inside)
    factor = tl.where(tl.reshape(kept, [BLOCK]), scale, 0.0)
    tl.store(out_ptr + base + elements, (x * factor).to(x.dtype), mask=inside)
