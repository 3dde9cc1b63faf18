"""Maxout over channel pieces and overlapping windows in Triton, one pass each way.

`which` numbers a window's candidates by piece, row and column. The backward gathers: each input
adds up the windows that it won, in a fixed order, so that no atomics are needed.
"""

import triton
import triton.language as tl


@triton.jit
def maxout_pool2d_fwd_kernel(
    x_ptr,  # [maps, PIECES, H, W]
    out_ptr,  # [maps, H_OUT, W_OUT]
    which_ptr,  # uint8 [maps, H_OUT, W_OUT]
    size,  # maps H_OUT W_OUT
    H,
    W,
    H_OUT,
    W_OUT,
    PIECES: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    outputs = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = outputs < size
    # Where an output lies, from its flat index: maps run slowest, columns fastest.
    column = outputs % W_OUT
    row = outputs // W_OUT % H_OUT
    maps = outputs // (W_OUT * H_OUT)
    best = tl.full([BLOCK], float("-inf"), tl.float32)
    which = tl.zeros([BLOCK], tl.int32)
    # One loop over pieces, rows and columns of the window: the order that decides ties.
    for candidate in range(PIECES * KERNEL * KERNEL):
        piece = candidate // (KERNEL * KERNEL)
        y = row * STRIDE + candidate // KERNEL % KERNEL
        x = column * STRIDE + candidate % KERNEL
        # A window at the lower or right border is partial: what lies outside never wins.
        there = inside & (y < H) & (x < W)
        source = ((maps * PIECES + piece) * H + y) * W + x
        value = tl.load(x_ptr + source, mask=there, other=float("-inf")).to(tl.float32)
        # A NaN wins and stays, as in torch; on a tie the first candidate stays.
        wins = (value > best) | (value != value)
        which = tl.where(wins, candidate, which)
        best = tl.where(wins, value, best)
    tl.store(out_ptr + outputs, best.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(which_ptr + outputs, which.to(tl.uint8), mask=inside)


@triton.jit
def maxout_pool2d_bwd_kernel(
    grad_ptr,  # [maps, H_OUT, W_OUT]
    which_ptr,  # uint8 [maps, H_OUT, W_OUT]
    grad_x_ptr,  # [maps, PIECES, H, W]
    size,  # maps PIECES H W
    H,
    W,
    H_OUT,
    W_OUT,
    PIECES: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    inputs = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = inputs < size
    x = inputs % W
    y = inputs // W % H
    piece = inputs // (W * H) % PIECES
    maps = inputs // (W * H * PIECES)
    # At most WINDOWS windows in each direction cover an input; the last starts at its own place.
    WINDOWS: tl.constexpr = (KERNEL + STRIDE - 1) // STRIDE
    total = tl.zeros([BLOCK], tl.float32)
    # Windows overlap, so that an input may have won several.
    for window in range(WINDOWS * WINDOWS):
        row = y // STRIDE - window // WINDOWS
        column = x // STRIDE - window % WINDOWS
        dy, dx = y - row * STRIDE, x - column * STRIDE
        there = inside & (row >= 0) & (row < H_OUT) & (column >= 0) & (column < W_OUT)
        there &= (dy < KERNEL) & (dx < KERNEL)
        source = (maps * H_OUT + row) * W_OUT + column
        # The number that this input has among the window's candidates: it won if that is `which`.
        candidate = (piece * KERNEL + dy) * KERNEL + dx
        which = tl.load(which_ptr + source, mask=there, other=0).to(tl.int64)
        grad = tl.load(grad_ptr + source, mask=there, other=0.0).to(tl.float32)
        total += tl.where(there & (which == candidate), grad, 0.0)
    tl.store(grad_x_ptr + inputs, total.to(grad_x_ptr.dtype.element_ty), mask=inside)
