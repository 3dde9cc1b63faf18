"""Gradients of the layers' inputs, and the step of the weights where their gradients are made."""

import triton
import triton.language as tl

from ganbench_kernels.affine_maxout.kernels import DROPPED, dropout_factors
from ganbench_kernels.dense_update.kernels.forward import product


@triton.jit
def derivative(activated, ACTIVATION: tl.constexpr):
    """The derivative of "relu" or "sigmoid", from its output."""
    if ACTIVATION == "relu":
        slope = tl.where(activated > 0, 1.0, 0.0)
    else:
        slope = activated * (1.0 - activated)
    return slope


@triton.jit
def input_gradient_kernel(
    grad_ptr,  # [S, grad_rows, U]; read from row `first_row` on
    which_ptr,  # uint8 [S, grad_rows, U]
    weight_ptr,  # [S, P, U, D]
    slope_ptr,  # [S, N]
    activated_ptr,  # [S, N, D]: what the layer below gave, without dropout
    out_ptr,  # [S, N, D]
    seed_ptr,  # int64 [S]
    offset_ptr,  # int64, 0-d
    grad_rows,
    first_row,
    N,
    U,
    D,
    grad_scale,
    threshold,
    scale,
    P: tl.constexpr,
    MAXOUT: tl.constexpr,
    ACTIVATION: tl.constexpr,  # of the layer below; "linear" leaves the gradient as it is
    SLOPE: tl.constexpr,  # multiply each row by its slope
    DROPOUT: tl.constexpr,
    ONE_BIT: tl.constexpr,
    GROUP: tl.constexpr,
    DOT: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """The gradient of a layer's input, backpropagated through the activation of the layer below."""
    # One program for each tile of rows and inputs; the sum runs over units and pieces.
    s = tl.program_id(2).to(tl.int64)
    row, column = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_D
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_columns = row + rows < N, column + columns < D
    first_output = (s * grad_rows + first_row + row) * U
    outputs = rows[:, None] * U + units[None, :]
    weight_tile = weight_ptr + s * P * U * D + column + units[:, None] * D + columns[None, :]
    total = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    # One loop over blocks of units and their pieces, so that all its loads are pipelined.
    for step in range(tl.cdiv(U, BLOCK_U) * P):
        unit, p = step // P * BLOCK_U, step % P
        in_units = unit + units < U
        inside = in_rows[:, None] & in_units[None, :]
        grad = tl.load(grad_ptr + first_output + unit + outputs, mask=inside, other=0.0)
        # Only the piece that won a unit passes its gradient on; dropped units have no winner.
        if MAXOUT:
            which = tl.load(which_ptr + first_output + unit + outputs, mask=inside, other=DROPPED)
            grad = tl.where(which == p, grad, 0.0).to(grad.dtype)
        tile = in_units[:, None] & in_columns[None, :]
        weight = tl.load(weight_tile + (p * U + unit) * D, mask=tile, other=0.0)
        total = product(grad, weight, total, DOT)
    total *= grad_scale
    first_input = (s * N + row) * D + column
    inputs = rows[:, None] * D + columns[None, :]
    inside = in_rows[:, None] & in_columns[None, :]
    # The cotangent is the same for both players: the slope makes it the generator's gradient.
    if SLOPE:
        total *= tl.load(slope_ptr + s * N + row + rows, mask=in_rows, other=0.0)[:, None]
    # The forward's mask again, drawn from the same seed and offset: it was never stored.
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        first = (first_row + row).to(tl.int64) * D + column
        total *= dropout_factors(
            first, D, seed, offset, threshold, scale, ONE_BIT, GROUP, BLOCK_N, BLOCK_D
        )
    # Backpropagates through the activation below, so that the next product reads what it needs.
    if ACTIVATION != "linear":
        activated = tl.load(activated_ptr + first_input + inputs, mask=inside, other=0.0)
        total *= derivative(activated.to(tl.float32), ACTIVATION)
    target = out_ptr + first_input + inputs
    tl.store(target, total.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def weight_update_kernel(
    grad_ptr,  # [S, N, U]
    which_ptr,  # uint8 [S, N, U]
    row_weight_ptr,  # [S, N]
    x_ptr,  # [S, x_rows, D]; read from the first row of minibatch `batch`
    batch_ptr,  # int64 [1]
    weight_ptr,  # [S, P, U, D]
    bias_ptr,  # [S, P, U]
    weight_velocity_ptr,  # [S, P, U, D]
    bias_velocity_ptr,  # [S, P, U]
    rounded_weight_ptr,  # bfloat16 [S, P, U, D]
    rounded_bias_ptr,  # bfloat16 [S, P, U]
    squares_ptr,  # [S, P, U, blocks of D]: sums of squares of the new weights
    rate_ptr,  # float32, 0-d
    momentum_ptr,  # float32, 0-d
    x_rows,
    N,
    U,
    D,
    scale,
    P: tl.constexpr,
    MAXOUT: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BATCHED: tl.constexpr,
    ROUNDED: tl.constexpr,  # write the bfloat16 copies
    SQUARES: tl.constexpr,
    DOT: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_U: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """v <- momentum v - rate gradient, w <- w + v, with the gradient in registers only.

    All pieces of a tile of units in one program: they share its rows of x and of the gradient.
    """
    s = tl.program_id(2).to(tl.int64)
    unit, column = tl.program_id(0) * BLOCK_U, tl.program_id(1) * BLOCK_D
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_units, in_columns = unit + units < U, column + columns < D
    first_row = s * x_rows
    # The first layer's x is the epoch's noise, of which a minibatch is read in place.
    if BATCHED:
        first_row += tl.load(batch_ptr) * N
    first_output = s * N * U + unit
    outputs = rows[None, :] * U + units[:, None]
    x_tile = x_ptr + first_row * D + column + rows[:, None] * D + columns[None, :]
    # An accumulator for each piece by name: Triton has no arrays of tiles.
    zero, no_bias = tl.zeros([BLOCK_U, BLOCK_D], tl.float32), tl.zeros([BLOCK_U], tl.float32)
    t0, t1, t2, t3, t4 = zero, zero, zero, zero, zero
    b0, b1, b2, b3, b4 = no_bias, no_bias, no_bias, no_bias, no_bias
    # The sum over the minibatch, in blocks of rows and always in the same order.
    for row in range(0, N, BLOCK_N):
        in_rows = row + rows < N
        inside = in_units[:, None] & in_rows[None, :]
        base = first_output + row * U
        grad = tl.load(grad_ptr + base + outputs, mask=inside, other=0.0)
        x = tl.load(x_tile + row * D, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
        # By how much each row counts in the discriminator's loss: see `head_kernel`.
        if WEIGHTED:
            row_weight = tl.load(row_weight_ptr + s * N + row + rows, mask=in_rows, other=0.0)
            grad = (grad * row_weight[None, :]).to(grad.dtype)
        if MAXOUT:
            which = tl.load(which_ptr + base + outputs, mask=inside, other=DROPPED)
            t0, b0 = routed(grad, which, x, t0, b0, 0, DOT)
            if P > 1:
                t1, b1 = routed(grad, which, x, t1, b1, 1, DOT)
            if P > 2:
                t2, b2 = routed(grad, which, x, t2, b2, 2, DOT)
            if P > 3:
                t3, b3 = routed(grad, which, x, t3, b3, 3, DOT)
            if P > 4:
                t4, b4 = routed(grad, which, x, t4, b4, 4, DOT)
        else:
            t0 = product(grad, x, t0, DOT)
            b0 += tl.sum(grad.to(tl.float32), 1)
    # The gradient is whole now and goes straight into the step: storing it and loading it again
    # would move half as many bytes as the step itself. `scale` is the dropout's 1 / keep.
    rate, momentum = tl.load(rate_ptr) * scale, tl.load(momentum_ptr)
    tile = units[:, None] * D + columns[None, :]
    for p in tl.static_range(P):
        total, bias_total = t0, b0
        if p == 1:
            total, bias_total = t1, b1
        if p == 2:
            total, bias_total = t2, b2
        if p == 3:
            total, bias_total = t3, b3
        if p == 4:
            total, bias_total = t4, b4
        piece = (s * P + p) * U + unit
        first = piece * D + column
        inside = in_units[:, None] & in_columns[None, :]
        # Momentum in float32, whatever the products' precision.
        velocity = tl.load(weight_velocity_ptr + first + tile, mask=inside, other=0.0) * momentum
        velocity -= rate * total
        weight = tl.load(weight_ptr + first + tile, mask=inside, other=0.0) + velocity
        tl.store(weight_velocity_ptr + first + tile, velocity, mask=inside)
        tl.store(weight_ptr + first + tile, weight, mask=inside)
        # Products read a bfloat16 copy, made here while the new weights are in registers.
        if ROUNDED:
            tl.store(rounded_weight_ptr + first + tile, weight.to(tl.bfloat16), mask=inside)
        # A unit's norm needs all its blocks of inputs, which other programs have: each leaves its
        # share for `bound_kernel`. Atomics would add them in any order.
        if SQUARES:
            squares = squares_ptr + (piece + units) * tl.num_programs(1) + tl.program_id(1)
            tl.store(squares, tl.sum(weight * weight, 1), mask=in_units)
        # The same for every block of columns: the first one writes the biases.
        if tl.program_id(1) == 0:
            biases = piece + units
            bias_velocity = tl.load(bias_velocity_ptr + biases, mask=in_units, other=0.0) * momentum
            bias_velocity -= rate * bias_total
            bias = tl.load(bias_ptr + biases, mask=in_units, other=0.0) + bias_velocity
            tl.store(bias_velocity_ptr + biases, bias_velocity, mask=in_units)
            tl.store(bias_ptr + biases, bias, mask=in_units)
            if ROUNDED:
                tl.store(rounded_bias_ptr + biases, bias.to(tl.bfloat16), mask=in_units)


@triton.jit
def routed(grad, which, x, total, bias_total, piece: tl.constexpr, DOT: tl.constexpr):
    """Adds a piece's share of the gradients of its weights and biases."""
    part = tl.where(which == piece, grad, 0.0).to(grad.dtype)
    return product(part, x, total, DOT), bias_total + tl.sum(part.to(tl.float32), 1)
