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
    rows, unit, U, seed, offset, threshold, scale, ONE_BIT, GROUP: tl.constexpr, BLOCK: tl.constexpr
):
    """Factors of the outputs [rows, unit : unit + BLOCK]; GROUP units share their random bits."""
    groups = unit + GROUP * tl.arange(0, BLOCK // GROUP)
    first = (rows[:, None] * U + groups[None, :])[:, :, None]
    member = tl.arange(0, GROUP)[None, None, :]
    kept = kept_lanes(first, member, seed, offset, threshold, ONE_BIT)
    return tl.where(tl.reshape(kept, [rows.shape[0], BLOCK]), scale, 0.0)


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
    s = tl.program_id(2).to(tl.int64)
    rows = (tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    units = tl.program_id(1) * BLOCK_U + tl.arange(0, BLOCK_U)
    columns = tl.arange(0, BLOCK_D)
    in_rows, in_units = rows < N, units < U
    x_tile = x_ptr + s * N * D + rows[:, None] * D + columns[None, :]
    weight_ptr += s * P * U * D
    best = tl.full([BLOCK_N, BLOCK_U], float("-inf"), tl.float32)
    which = tl.zeros([BLOCK_N, BLOCK_U], tl.int32)
    for p in range(P):
        piece = (p * U + units).to(tl.int64)
        weight_tile = weight_ptr + piece[None, :] * D + columns[:, None]
        affine = tl.zeros([BLOCK_N, BLOCK_U], tl.float32)
        for d in range(0, D, BLOCK_D):
            in_columns = d + columns < D
            x = tl.load(x_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
            weight = tl.load(
                weight_tile + d, mask=in_columns[:, None] & in_units[None, :], other=0.0
            )
            affine = tl.dot(x, weight, affine, input_precision=PRECISION)
        bias = tl.load(bias_ptr + s * P * U + piece, mask=in_units, other=0.0)
        affine += bias[None, :].to(tl.float32)
        # Also true for a NaN, as torch.maximum; false on a tie, so that the first piece wins.
        wins = (affine > best) | (affine != affine) | (best != best)
        which = tl.where(wins, p, which)
        best = tl.where(wins, affine, best)
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        unit = tl.program_id(1) * BLOCK_U
        factor = dropout_factors(
            rows, unit, U, seed, offset, threshold, scale, ONE_BIT, GROUP, BLOCK_U
        )
        best *= factor
        which = tl.where(factor == 0.0, DROPPED, which)
    outputs = s * N * U + rows[:, None] * U + units[None, :]
    inside = in_rows[:, None] & in_units[None, :]
    tl.store(out_ptr + outputs, best.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(which_ptr + outputs, which.to(tl.uint8), mask=inside)


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
    s = tl.program_id(2).to(tl.int64)
    rows = (tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    columns = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_rows, in_columns = rows < N, columns < D
    weight_ptr += s * P * U * D
    total = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    for u in range(0, U, BLOCK_U):
        units = u + tl.arange(0, BLOCK_U)
        inside = in_rows[:, None] & (units < U)[None, :]
        outputs = s * N * U + rows[:, None] * U + units[None, :]
        grad = tl.load(grad_ptr + outputs, mask=inside, other=0.0)
        which = tl.load(which_ptr + outputs, mask=inside, other=DROPPED)
        for p in range(P):
            piece = (p * U + units).to(tl.int64)
            weight = tl.load(
                weight_ptr + piece[:, None] * D + columns[None, :],
                mask=(units < U)[:, None] & in_columns[None, :],
                other=0.0,
            )
            routed = tl.where(which == p, grad, 0.0).to(grad.dtype)
            total = tl.dot(routed, weight, total, input_precision=PRECISION)
    target = grad_x_ptr + s * N * D + rows[:, None] * D + columns[None, :]
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
    s, p = (tl.program_id(2) // P).to(tl.int64), tl.program_id(2) % P
    units = tl.program_id(0) * BLOCK_U + tl.arange(0, BLOCK_U)
    columns = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_units, in_columns = units < U, columns < D
    total = tl.zeros([BLOCK_U, BLOCK_D], tl.float32)
    bias = tl.zeros([BLOCK_U], tl.float32)
    for n in range(0, N, BLOCK_N):
        rows = (n + tl.arange(0, BLOCK_N)).to(tl.int64)
        in_rows = rows < N
        outputs = s * N * U + rows[None, :] * U + units[:, None]
        inside = in_units[:, None] & in_rows[None, :]
        grad = tl.load(grad_ptr + outputs, mask=inside, other=0.0)
        which = tl.load(which_ptr + outputs, mask=inside, other=DROPPED)
        routed = tl.where(which == p, grad, 0.0).to(grad.dtype)
        if WEIGHTED:
            row_weight = tl.load(row_weight_ptr + s * N + rows, mask=in_rows, other=0.0)
            routed = (routed * row_weight[None, :]).to(grad.dtype)
        x = tl.load(
            x_ptr + s * N * D + rows[:, None] * D + columns[None, :],
            mask=in_rows[:, None] & in_columns[None, :],
            other=0.0,
        )
        total = tl.dot(routed, x, total, input_precision=PRECISION)
        bias += tl.sum(routed.to(tl.float32), 1)
    piece = (s * P + p) * U + units
    target = grad_weight_ptr + piece[:, None] * D + columns[None, :]
    inside = in_units[:, None] & in_columns[None, :]
    tl.store(target, (total * scale).to(grad_weight_ptr.dtype.element_ty), mask=inside)
    if tl.program_id(1) == 0:
        bias = (bias * scale).to(grad_bias_ptr.dtype.element_ty)
        tl.store(grad_bias_ptr + piece, bias, mask=in_units)


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
        wins = (affine > best) | (affine != affine) | (best != best)
        which = tl.where(wins, p, which)
        best = tl.where(wins, affine, best)
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
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
    for p in range(P):
        tl.store(first_piece + p * U, tl.where(which == p, grad, 0.0).to(grad.dtype), mask=inside)
