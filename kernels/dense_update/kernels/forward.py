"""The forward pass: gathers a minibatch, runs linear and maxout layers."""

import triton
import triton.language as tl

from ganbench_kernels.affine_maxout.kernels import DROPPED, dropout_factors
from ganbench_kernels.gan_loss.kernels import softplus_and_sigmoid
from ganbench_kernels.inverted_dropout.kernels import kept_lanes


@triton.jit
def product(left, right, total, DOT: tl.constexpr):
    """Adds left @ right to a float32 tile, rounding both factors as DOT says."""
    if DOT == "bfloat16":
        total = tl.dot(left.to(tl.bfloat16), right.to(tl.bfloat16), total)
    else:
        total = tl.dot(left, right, total, input_precision=DOT)
    return total


@triton.jit
def gather_kernel(
    images_ptr,  # [images, D]
    order_ptr,  # int64 [S, batches, N]
    batch_ptr,  # int64 [1]: which minibatch
    out_ptr,  # [S, 2 N, D]: rows 0 to N are written
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    batches,
    N,
    D,
    threshold,
    scale,
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Writes the minibatch's training images, with the input's dropout, where D reads them."""
    s = tl.program_id(1).to(tl.int64)
    start = tl.program_id(0) * BLOCK
    elements = start + tl.arange(0, BLOCK)
    inside = elements < N * D
    row = elements // D
    # Which minibatch it is comes from memory, so that one captured graph serves every update.
    order = order_ptr + (s * batches + tl.load(batch_ptr)) * N
    image = tl.load(order + row, mask=inside, other=0)
    x = tl.load(images_ptr + image * D + (elements - row * D), mask=inside, other=0.0)
    # Eight neighbours share one Philox call: the ten rounds run once for all of them.
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        first = start + 8 * tl.arange(0, BLOCK // 8)[:, None]
        kept = kept_lanes(first, tl.arange(0, 8)[None, :], seed, offset, threshold, ONE_BIT)
        x *= tl.where(tl.reshape(kept, [BLOCK]), scale, 0.0)
    # The reals fill the first half of D's input; the generator writes its fakes into the second.
    tl.store(out_ptr + s * 2 * N * D + elements, x.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def linear_fwd_kernel(
    x_ptr,  # [S, x_rows, D]; read from row `first_row` of minibatch `batch`
    batch_ptr,  # int64 [1]
    weight_ptr,  # [S, U, D]
    bias_ptr,  # [S, U]
    out_ptr,  # [S, N, U]
    dropped_ptr,  # [S, 2 N, U]: rows N to 2 N are written
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    x_rows,
    N,
    U,
    D,
    threshold,
    scale,
    ACTIVATION: tl.constexpr,
    BATCHED: tl.constexpr,  # x holds all minibatches of an epoch
    COPY: tl.constexpr,  # write the output a second time, with dropout, as D's fakes
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    GROUP: tl.constexpr,
    DOT: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """activation(x weight^T + bias) of the generator's layers."""
    # One program for each tile of rows and units of each seed. A 64-bit base with 32-bit offsets
    # inside the tile: 64-bit offsets alone take the registers.
    s = tl.program_id(2).to(tl.int64)
    row, unit = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_U
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_units = row + rows < N, unit + units < U
    first_row = s * x_rows + row
    # The noise of an epoch lies ready in memory: no launch only to copy a minibatch of it.
    if BATCHED:
        first_row += tl.load(batch_ptr) * N
    x_tile = x_ptr + first_row * D + rows[:, None] * D + columns[None, :]
    weight_tile = weight_ptr + (s * U + unit) * D + units[None, :] * D + columns[:, None]
    total = tl.zeros([BLOCK_N, BLOCK_U], tl.float32)
    # Blocks of inputs in order, so that equal inputs add up to equal bits.
    for d in range(0, D, BLOCK_D):
        in_columns = d + columns < D
        x = tl.load(x_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
        weight = tl.load(weight_tile + d, mask=in_columns[:, None] & in_units[None, :], other=0.0)
        total = product(x, weight, total, DOT)
    # Bias and activation while the tile is in registers: neither costs a pass over memory.
    total += tl.load(bias_ptr + s * U + unit + units, mask=in_units, other=0.0)[None, :]
    if ACTIVATION == "relu":
        # NaN stays, as in torch.
        total = tl.where(total <= 0, 0.0, total)
    if ACTIVATION == "sigmoid":
        _, total = softplus_and_sigmoid(total)
    outputs = rows[:, None] * U + units[None, :]
    inside = in_rows[:, None] & in_units[None, :]
    target = out_ptr + (s * N + row) * U + unit + outputs
    tl.store(target, total.to(out_ptr.dtype.element_ty), mask=inside)
    # The generator's images are wanted twice: as they are for its own gradient, and with D's input
    # dropout as rows N to 2 N of D's minibatch.
    if COPY:
        if DROPOUT:
            seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
            # The mask counts the reals' rows first: the one that the engine draws for both halves.
            first = (N + row).to(tl.int64) * U + unit
            total *= dropout_factors(
                first, U, seed, offset, threshold, scale, ONE_BIT, GROUP, BLOCK_N, BLOCK_U
            )
        target = dropped_ptr + (s * 2 * N + N + row) * U + unit + outputs
        tl.store(target, total.to(dropped_ptr.dtype.element_ty), mask=inside)


@triton.jit
def maxout_layer_fwd_kernel(
    x_ptr,  # [S, N, D]
    weight_ptr,  # [S, P, U, D]
    bias_ptr,  # [S, P, U]
    out_ptr,  # [S, N, U]
    which_ptr,  # uint8 [S, N, U]
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    N,
    U,
    D,
    threshold,
    scale,
    P: tl.constexpr,
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    GROUP: tl.constexpr,
    DOT: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """The largest of P affine pieces with the next layer's dropout; `which` piece won.

    The pieces share one loop over the inputs, so that a tile of x is read once.
    """
    s = tl.program_id(2).to(tl.int64)
    row, unit = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_U
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_units = row + rows < N, unit + units < U
    x_tile = x_ptr + (s * N + row) * D + rows[:, None] * D + columns[None, :]
    weight_tile = weight_ptr + (s * P * U + unit) * D + units[None, :] * D + columns[:, None]
    zero = tl.zeros([BLOCK_N, BLOCK_U], tl.float32)
    # Triton has no arrays of tiles: the five accumulators have names, and P says which are used.
    a0, a1, a2, a3, a4 = zero, zero, zero, zero, zero
    # The tile of x stays in registers while every piece of the weights is multiplied with it.
    for d in range(0, D, BLOCK_D):
        in_columns = d + columns < D
        x = tl.load(x_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
        inside = in_columns[:, None] & in_units[None, :]
        tile = weight_tile + d
        a0 = product(x, tl.load(tile, mask=inside, other=0.0), a0, DOT)
        if P > 1:
            a1 = product(x, tl.load(tile + U * D, mask=inside, other=0.0), a1, DOT)
        if P > 2:
            a2 = product(x, tl.load(tile + 2 * U * D, mask=inside, other=0.0), a2, DOT)
        if P > 3:
            a3 = product(x, tl.load(tile + 3 * U * D, mask=inside, other=0.0), a3, DOT)
        if P > 4:
            a4 = product(x, tl.load(tile + 4 * U * D, mask=inside, other=0.0), a4, DOT)
    # Pieces compete in order, so that the first one wins a tie, as in the reference.
    bias = bias_ptr + s * P * U + unit + units
    best = a0 + tl.load(bias, mask=in_units, other=0.0)[None, :]
    which = tl.zeros([BLOCK_N, BLOCK_U], tl.int32)
    if P > 1:
        best, which = larger(best, which, a1, bias + U, in_units, 1)
    if P > 2:
        best, which = larger(best, which, a2, bias + 2 * U, in_units, 2)
    if P > 3:
        best, which = larger(best, which, a3, bias + 3 * U, in_units, 3)
    if P > 4:
        best, which = larger(best, which, a4, bias + 4 * U, in_units, 4)
    # A dropped unit's `which` names no piece: the backward pass needs no mask of its own.
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        first = row.to(tl.int64) * U + unit
        factor = dropout_factors(
            first, U, seed, offset, threshold, scale, ONE_BIT, GROUP, BLOCK_N, BLOCK_U
        )
        best *= factor
        which = tl.where(factor == 0.0, DROPPED, which)
    base = (s * N + row) * U + unit
    outputs = rows[:, None] * U + units[None, :]
    inside = in_rows[:, None] & in_units[None, :]
    tl.store(out_ptr + base + outputs, best.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(which_ptr + base + outputs, which.to(tl.uint8), mask=inside)


@triton.jit
def larger(best, which, affine, bias_ptr, in_units, piece: tl.constexpr):
    """Takes a piece where it beats the best so far: NaN wins and stays, a tie changes nothing."""
    affine += tl.load(bias_ptr, mask=in_units, other=0.0)[None, :]
    wins = (affine > best) | (affine != affine)
    return tl.where(wins, affine, best), tl.where(wins, piece, which)
