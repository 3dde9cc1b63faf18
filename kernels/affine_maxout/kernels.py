"""Maxout in Triton: fused with its matrix product, and as an epilogue of the library's.

Pieces run in a loop at run time: unrolled, their accumulators spill. `which` names the winning
piece, 255 where dropout made the output 0, so that the backward needs no random numbers.
"""

import triton
import triton.language as tl

from ganbench_kernels.inverted_dropout.kernels import kept_lanes

DROPPED: tl.constexpr = tl.constexpr(255)


@triton.jit
def dropout_factors(
    first,
    U,
    seed,
    offset,
    threshold,
    scale,
    ONE_BIT: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
):
    """Factors of a tile of outputs; GROUP consecutive units share their random bits.

    `first` is the tile's first output, of its seed's N x U.
    """
    # The ten rounds of Philox run once for a group, whose bits its members cut out.
    groups = GROUP * tl.arange(0, BLOCK_U // GROUP)
    leader = first + tl.arange(0, BLOCK_N)[:, None] * U + groups[None, :]
    member = tl.arange(0, GROUP)[None, None, :]
    kept = kept_lanes(leader[:, :, None], member, seed, offset, threshold, ONE_BIT)
    return tl.where(tl.reshape(kept, [BLOCK_N, BLOCK_U]), scale, 0.0)


@triton.jit
def maxout_fwd_kernel(
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
    P,
    threshold,
    scale,
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    GROUP: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # Tiles are a 64-bit base and 32-bit offsets inside: 64-bit offsets alone take the registers.
    s = tl.program_id(2).to(tl.int64)
    row, unit = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_U
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_units = row + rows < N, unit + units < U
    x_tile = x_ptr + (s * N + row) * D + rows[:, None] * D + columns[None, :]
    best = tl.full([BLOCK_N, BLOCK_U], float("-inf"), tl.float32)
    which = tl.zeros([BLOCK_N, BLOCK_U], tl.int32)
    # Pieces one after the other: each is a whole product, of which only the best so far is kept.
    for p in range(P):
        piece = (s * P + p) * U + unit
        weight_tile = weight_ptr + piece * D + units[None, :] * D + columns[:, None]
        affine = tl.zeros([BLOCK_N, BLOCK_U], tl.float32)
        for d in range(0, D, BLOCK_D):
            in_columns = d + columns < D
            x = tl.load(x_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
            weight = tl.load(
                weight_tile + d, mask=in_columns[:, None] & in_units[None, :], other=0.0
            )
            affine = tl.dot(x, weight, affine, input_precision=PRECISION)
        bias = tl.load(bias_ptr + piece + units, mask=in_units, other=0.0)
        affine += bias[None, :].to(tl.float32)
        # A NaN wins and stays, as in torch.maximum; on a tie the first piece stays.
        wins = (affine > best) | (affine != affine)
        which = tl.where(wins, p, which)
        best = tl.where(wins, affine, best)
    # While the tile is in registers; `which` carries the mask to the backward pass.
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
def maxout_bwd_input_kernel(
    grad_ptr,  # [S, N, U]
    weight_ptr,  # [S, P, U, D]
    which_ptr,  # uint8 [S, N, U]
    grad_x_ptr,  # [S, N, D]
    N,
    U,
    D,
    P,
    scale,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # One program for each tile of rows and inputs; the sum runs over units and pieces.
    s = tl.program_id(2).to(tl.int64)
    row, column = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_D
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_columns = row + rows < N, column + columns < D
    outputs = rows[:, None] * U + units[None, :]
    weights = units[:, None] * D + columns[None, :]
    total = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    for unit in range(0, U, BLOCK_U):
        in_units = unit + units < U
        inside = in_rows[:, None] & in_units[None, :]
        base = (s * N + row) * U + unit
        grad = tl.load(grad_ptr + base + outputs, mask=inside, other=0.0)
        which = tl.load(which_ptr + base + outputs, mask=inside, other=DROPPED)
        # The gradient is loaded once for all pieces. Each gets the part that it won, built in
        # registers: in memory it would be P times as large, and zero but for a share of 1 / P.
        for p in range(P):
            weight = tl.load(
                weight_ptr + ((s * P + p) * U + unit) * D + column + weights,
                mask=in_units[:, None] & in_columns[None, :],
                other=0.0,
            )
            routed = tl.where(which == p, grad, 0.0).to(grad.dtype)
            total = tl.dot(routed, weight, total, input_precision=PRECISION)
    target = grad_x_ptr + (s * N + row) * D + column + rows[:, None] * D + columns[None, :]
    inside = in_rows[:, None] & in_columns[None, :]
    tl.store(target, (total * scale).to(grad_x_ptr.dtype.element_ty), mask=inside)


@triton.jit
def maxout_bwd_weight_kernel(
    grad_ptr,  # [S, N, U]
    x_ptr,  # [S, N, D]
    which_ptr,  # uint8 [S, N, U]
    row_weight_ptr,  # [S, N]
    grad_weight_ptr,  # [S, P, U, D]
    grad_bias_ptr,  # [S, P, U]
    N,
    U,
    D,
    P,
    scale,
    WEIGHTED: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # One program for each tile of a piece's weights; the sum runs over the rows.
    s, p = (tl.program_id(2) // P).to(tl.int64), tl.program_id(2) % P
    unit, column = tl.program_id(0) * BLOCK_U, tl.program_id(1) * BLOCK_D
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_units, in_columns = unit + units < U, column + columns < D
    outputs = rows[None, :] * U + units[:, None]
    inputs = rows[:, None] * D + columns[None, :]
    total = tl.zeros([BLOCK_U, BLOCK_D], tl.float32)
    bias_total = tl.zeros([BLOCK_U], tl.float32)
    for row in range(0, N, BLOCK_N):
        in_rows = row + rows < N
        inside = in_units[:, None] & in_rows[None, :]
        base = (s * N + row) * U + unit
        grad = tl.load(grad_ptr + base + outputs, mask=inside, other=0.0)
        which = tl.load(which_ptr + base + outputs, mask=inside, other=DROPPED)
        routed = tl.where(which == p, grad, 0.0).to(grad.dtype)
        # Rows of different players weigh differently in one pass.
        if WEIGHTED:
            row_weight = tl.load(row_weight_ptr + s * N + row + rows, mask=in_rows, other=0.0)
            routed = (routed * row_weight[None, :]).to(grad.dtype)
        x = tl.load(
            x_ptr + (s * N + row) * D + column + inputs,
            mask=in_rows[:, None] & in_columns[None, :],
            other=0.0,
        )
        total = tl.dot(routed, x, total, input_precision=PRECISION)
        # From the same rounded gradients that the product takes, summed in float32.
        bias_total += tl.sum(routed.to(tl.float32), 1)
    piece = (s * P + p) * U + unit
    target = grad_weight_ptr + piece * D + column + units[:, None] * D + columns[None, :]
    inside = in_units[:, None] & in_columns[None, :]
    tl.store(target, (total * scale).to(grad_weight_ptr.dtype.element_ty), mask=inside)
    # Every block of inputs has the same sum: the first one writes it.
    if tl.program_id(1) == 0:
        bias = (bias_total * scale).to(grad_bias_ptr.dtype.element_ty)
        tl.store(grad_bias_ptr + piece + units, bias, mask=in_units)


@triton.jit
def maxout_epilogue_fwd_kernel(
    affine_ptr,  # [S, N, P, U]
    out_ptr,  # [S, N, U]
    which_ptr,  # uint8 [S, N, U]
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    size,  # N U
    U,
    P,
    threshold,
    scale,
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # Outputs are a flat list here: the library's product has the pieces of a row side by side.
    s = tl.program_id(1).to(tl.int64)
    start = tl.program_id(0).to(tl.int64) * BLOCK
    outputs = start + tl.arange(0, BLOCK)
    inside = outputs < size
    row = outputs // U
    first_piece = affine_ptr + s * size * P + row * U * P + (outputs - row * U)
    best = tl.full([BLOCK], float("-inf"), tl.float32)
    which = tl.zeros([BLOCK], tl.int32)
    for p in range(P):
        affine = tl.load(first_piece + p * U, mask=inside, other=0.0).to(tl.float32)
        # As in `maxout_fwd_kernel`: a NaN wins and stays, the first of equal pieces too.
        wins = (affine > best) | (affine != affine)
        which = tl.where(wins, p, which)
        best = tl.where(wins, affine, best)
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        # Eight neighbours share one Philox call.
        first = start + 8 * tl.arange(0, BLOCK // 8)[:, None]
        kept = kept_lanes(first, tl.arange(0, 8)[None, :], seed, offset, threshold, ONE_BIT)
        factor = tl.where(tl.reshape(kept, [BLOCK]), scale, 0.0)
        best *= factor
        which = tl.where(factor == 0.0, DROPPED, which)
    tl.store(out_ptr + s * size + outputs, best.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(which_ptr + s * size + outputs, which.to(tl.uint8), mask=inside)


@triton.jit
def maxout_epilogue_bwd_kernel(
    grad_ptr,  # [S, N, U]
    which_ptr,  # uint8 [S, N, U]
    routed_ptr,  # [S, N, P, U]
    size,  # N U
    U,
    P,
    scale,
    BLOCK: tl.constexpr,
):
    s = tl.program_id(1).to(tl.int64)
    outputs = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = outputs < size
    row = outputs // U
    first_piece = routed_ptr + s * size * P + row * U * P + (outputs - row * U)
    grad = tl.load(grad_ptr + s * size + outputs, mask=inside, other=0.0)
    which = tl.load(which_ptr + s * size + outputs, mask=inside, other=DROPPED)
    grad = (grad.to(tl.float32) * scale).to(grad.dtype)
    # Zeros are written too: the library's product reads all pieces.
    for p in range(P):
        tl.store(first_piece + p * U, tl.where(which == p, grad, 0.0).to(grad.dtype), mask=inside)
