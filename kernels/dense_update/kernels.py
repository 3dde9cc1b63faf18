"""The kernels of one simultaneous update of dense networks, for S seeds at once.

Each product does in its epilogue what would otherwise be a pass over memory of its own: bias,
activation and dropout going forward, the activation's derivative and the loss's slope going back,
and momentum, weights and norms where a weight gradient is made, so that no gradient is stored.
Weights, velocities and sums are float32. Activations and gradients are too, but in bfloat16 where
products are: then products read a bfloat16 copy of the weights, which every update writes anew.
No atomics, and sums run in a fixed order: equal inputs give equal bits.
"""

import triton
import triton.language as tl

from ganbench_kernels.affine_maxout.kernels import DROPPED, dropout_factors
from ganbench_kernels.gan_loss.kernels import game, softplus_and_sigmoid
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
def derivative(activated, ACTIVATION: tl.constexpr):
    """The derivative of "relu" or "sigmoid", from its output."""
    if ACTIVATION == "relu":
        slope = tl.where(activated > 0, 1.0, 0.0)
    else:
        slope = activated * (1.0 - activated)
    return slope


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
    order = order_ptr + (s * batches + tl.load(batch_ptr)) * N
    image = tl.load(order + row, mask=inside, other=0)
    x = tl.load(images_ptr + image * D + (elements - row * D), mask=inside, other=0.0)
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        first = start + 8 * tl.arange(0, BLOCK // 8)[:, None]
        kept = kept_lanes(first, tl.arange(0, 8)[None, :], seed, offset, threshold, ONE_BIT)
        x *= tl.where(tl.reshape(kept, [BLOCK]), scale, 0.0)
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
    s = tl.program_id(2).to(tl.int64)
    row, unit = tl.program_id(0) * BLOCK_N, tl.program_id(1) * BLOCK_U
    rows, units, columns = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_D)
    in_rows, in_units = row + rows < N, unit + units < U
    first_row = s * x_rows + row
    if BATCHED:
        first_row += tl.load(batch_ptr) * N
    x_tile = x_ptr + first_row * D + rows[:, None] * D + columns[None, :]
    weight_tile = weight_ptr + (s * U + unit) * D + units[None, :] * D + columns[:, None]
    total = tl.zeros([BLOCK_N, BLOCK_U], tl.float32)
    for d in range(0, D, BLOCK_D):
        in_columns = d + columns < D
        x = tl.load(x_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
        weight = tl.load(weight_tile + d, mask=in_columns[:, None] & in_units[None, :], other=0.0)
        total = product(x, weight, total, DOT)
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
    if COPY:
        if DROPOUT:
            seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
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
    a0, a1, a2, a3, a4 = zero, zero, zero, zero, zero
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


@triton.jit
def head_kernel(
    x_ptr,  # [S, 2 N, U]: reals, then fakes
    weight_ptr,  # [S, U]
    bias_ptr,  # [S]
    weight_velocity_ptr,  # [S, U]
    bias_velocity_ptr,  # [S]
    rounded_weight_ptr,  # bfloat16 [S, U]
    rounded_bias_ptr,  # bfloat16 [S]
    logits_ptr,  # [S, 2 N]
    row_weight_ptr,  # [S, 2 N]: D's loss by its logits
    slope_ptr,  # [S, N]: G's loss by its fakes' logits
    cotangent_ptr,  # [S, 2 N, U]: each logit by its row of x
    sums_ptr,  # float64 [S, 4]: losses of D and G, mean D(x), mean D(G(z))
    rate_ptr,  # float32, 0-d
    momentum_ptr,  # float32, 0-d
    N,
    U,
    max_norm,
    OBJECTIVE: tl.constexpr,
    ROUNDED: tl.constexpr,  # write the bfloat16 copies
    BLOCK_N: tl.constexpr,  # at least N
    BLOCK_R: tl.constexpr,
    BLOCK_U: tl.constexpr,  # at least U
):
    """D's last layer from logits to its own update, one program for each seed."""
    s = tl.program_id(0).to(tl.int64)
    units, some = tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_R)
    in_units = units < U
    weight = tl.load(weight_ptr + s * U + units, mask=in_units, other=0.0)
    bias = tl.load(bias_ptr + s)
    x_tile = x_ptr + s * 2 * N * U + some[:, None] * U + units[None, :]
    for row in range(0, 2 * N, BLOCK_R):
        in_rows = row + some < 2 * N
        x = tl.load(x_tile + row * U, mask=in_rows[:, None] & in_units[None, :], other=0.0)
        logits = tl.sum(x.to(tl.float32) * weight[None, :], 1) + bias
        tl.store(logits_ptr + s * 2 * N + row + some, logits, mask=in_rows)
    # Other threads of this program wrote the logits that are read now, and later the row weights.
    tl.debug_barrier()
    rows = tl.arange(0, BLOCK_N)
    inside = rows < N
    real = tl.load(logits_ptr + s * 2 * N + rows, mask=inside, other=0.0)
    fake = tl.load(logits_ptr + s * 2 * N + N + rows, mask=inside, other=0.0)
    d, g, d_real, d_fake, g_fake = game(real, fake, OBJECTIVE)
    scale = 1.0 / N
    tl.store(row_weight_ptr + s * 2 * N + rows, d_real * scale, mask=inside)
    tl.store(row_weight_ptr + s * 2 * N + N + rows, d_fake * scale, mask=inside)
    tl.store(slope_ptr + s * N + rows, g_fake * scale, mask=inside)
    _, real_probability = softplus_and_sigmoid(real)
    _, fake_probability = softplus_and_sigmoid(fake)
    sums = sums_ptr + 4 * s
    add(sums, d, inside, scale)
    add(sums + 1, g, inside, scale)
    add(sums + 2, real_probability, inside, scale)
    add(sums + 3, fake_probability, inside, scale)
    tl.debug_barrier()
    gradient = tl.zeros([BLOCK_U], tl.float32)
    bias_gradient = 0.0
    cotangent = weight.to(cotangent_ptr.dtype.element_ty)
    cotangent_tile = cotangent_ptr + s * 2 * N * U + some[:, None] * U + units[None, :]
    for row in range(0, 2 * N, BLOCK_R):
        in_rows = row + some < 2 * N
        tile = in_rows[:, None] & in_units[None, :]
        x = tl.load(x_tile + row * U, mask=tile, other=0.0)
        row_weight = tl.load(row_weight_ptr + s * 2 * N + row + some, mask=in_rows, other=0.0)
        gradient += tl.sum(x.to(tl.float32) * row_weight[:, None], 0)
        bias_gradient += tl.sum(row_weight, 0)
        rows_of_it = tl.broadcast_to(cotangent[None, :], [BLOCK_R, BLOCK_U])
        tl.store(cotangent_tile + row * U, rows_of_it, mask=tile)
    rate, momentum = tl.load(rate_ptr), tl.load(momentum_ptr)
    velocity = tl.load(weight_velocity_ptr + s * U + units, mask=in_units, other=0.0)
    velocity = velocity * momentum - rate * gradient
    weight += velocity
    norm = tl.sqrt(tl.sum(weight * weight, 0))
    weight *= tl.where(norm <= max_norm, 1.0, max_norm / norm)
    tl.store(weight_velocity_ptr + s * U + units, velocity, mask=in_units)
    tl.store(weight_ptr + s * U + units, weight, mask=in_units)
    bias_velocity = tl.load(bias_velocity_ptr + s) * momentum - rate * bias_gradient
    tl.store(bias_velocity_ptr + s, bias_velocity)
    tl.store(bias_ptr + s, bias + bias_velocity)
    if ROUNDED:
        tl.store(rounded_weight_ptr + s * U + units, weight.to(tl.bfloat16), mask=in_units)
        tl.store(rounded_bias_ptr + s, (bias + bias_velocity).to(tl.bfloat16))


@triton.jit
def add(sum_ptr, terms, inside, scale):
    """Adds the mean of some terms to a sum over an epoch's updates."""
    mean = tl.sum(tl.where(inside, terms, 0.0), 0) * scale
    tl.store(sum_ptr, tl.load(sum_ptr) + mean.to(tl.float64))


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
    if SLOPE:
        total *= tl.load(slope_ptr + s * N + row + rows, mask=in_rows, other=0.0)[:, None]
    if DROPOUT:
        seed, offset = tl.load(seed_ptr + s), tl.load(offset_ptr)
        first = (first_row + row).to(tl.int64) * D + column
        total *= dropout_factors(
            first, D, seed, offset, threshold, scale, ONE_BIT, GROUP, BLOCK_N, BLOCK_D
        )
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
    if BATCHED:
        first_row += tl.load(batch_ptr) * N
    first_output = s * N * U + unit
    outputs = rows[None, :] * U + units[:, None]
    x_tile = x_ptr + first_row * D + column + rows[:, None] * D + columns[None, :]
    zero, no_bias = tl.zeros([BLOCK_U, BLOCK_D], tl.float32), tl.zeros([BLOCK_U], tl.float32)
    t0, t1, t2, t3, t4 = zero, zero, zero, zero, zero
    b0, b1, b2, b3, b4 = no_bias, no_bias, no_bias, no_bias, no_bias
    for row in range(0, N, BLOCK_N):
        in_rows = row + rows < N
        inside = in_units[:, None] & in_rows[None, :]
        base = first_output + row * U
        grad = tl.load(grad_ptr + base + outputs, mask=inside, other=0.0)
        x = tl.load(x_tile + row * D, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
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
        velocity = tl.load(weight_velocity_ptr + first + tile, mask=inside, other=0.0) * momentum
        velocity -= rate * total
        weight = tl.load(weight_ptr + first + tile, mask=inside, other=0.0) + velocity
        tl.store(weight_velocity_ptr + first + tile, velocity, mask=inside)
        tl.store(weight_ptr + first + tile, weight, mask=inside)
        if ROUNDED:
            tl.store(rounded_weight_ptr + first + tile, weight.to(tl.bfloat16), mask=inside)
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


@triton.jit
def bound_kernel(
    weights_ptr,  # one player's parameters
    rounded_ptr,  # bfloat16, their copy
    squares_ptr,  # one player's partial sums of squares
    start_ptr,  # int64 [units]: where a unit's incoming weights start
    length_ptr,  # int32 [units]: and how many they are
    square_ptr,  # int64 [units]: where its partial sums start
    blocks_ptr,  # int32 [units]: and how many they are
    max_norm,
    ROUNDED: tl.constexpr,  # write the bfloat16 copies
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Scales down incoming weights that are longer than the bound; all layers in one launch."""
    unit = tl.program_id(0)
    blocks = tl.arange(0, BLOCKS)
    squares = squares_ptr + tl.load(square_ptr + unit) + blocks
    norm = tl.sqrt(tl.sum(tl.load(squares, mask=blocks < tl.load(blocks_ptr + unit), other=0.0), 0))
    if (norm > max_norm) | (norm != norm):
        start, length = tl.load(start_ptr + unit), tl.load(length_ptr + unit)
        for d in range(0, length, BLOCK):
            columns = d + tl.arange(0, BLOCK)
            inside = columns < length
            weight = tl.load(weights_ptr + start + columns, mask=inside, other=0.0)
            weight *= max_norm / norm
            tl.store(weights_ptr + start + columns, weight, mask=inside)
            if ROUNDED:
                tl.store(rounded_ptr + start + columns, weight.to(tl.bfloat16), mask=inside)


@triton.jit
def advance_kernel(
    batch_ptr,  # int64 [1]
    offsets_ptr,  # int64 [layers]: of the next update's dropout masks
    rate_ptr,  # float64, 0-d
    rounded_rate_ptr,  # float32, 0-d: what the next update reads
    decay_ptr,  # float64, 0-d: numbers would be rounded to float32
    floor_ptr,  # float64, 0-d
    masks,
    LAYERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Moves on to the next minibatch, its masks and its learning rate."""
    tl.store(batch_ptr, tl.load(batch_ptr) + 1)
    layers = tl.arange(0, BLOCK)
    offsets = tl.load(offsets_ptr + layers, mask=layers < LAYERS, other=0)
    tl.store(offsets_ptr + layers, offsets + masks, mask=layers < LAYERS)
    rate = tl.maximum(tl.load(rate_ptr) / tl.load(decay_ptr), tl.load(floor_ptr))
    tl.store(rate_ptr, rate)
    tl.store(rounded_rate_ptr, rate.to(tl.float32))
