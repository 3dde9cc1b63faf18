"""The discriminator's last layer: logits, losses, their slopes, and the layer's own update."""

import triton
import triton.language as tl

from ganbench_kernels.gan_loss.kernels import game, softplus_and_sigmoid


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
    # The layer has one output. A program holds its whole weight vector, which makes three small
    # products, the loss and the step one launch instead of about ten.
    units, row_offsets = tl.arange(0, BLOCK_U), tl.arange(0, BLOCK_R)
    in_units = units < U
    weight = tl.load(weight_ptr + s * U + units, mask=in_units, other=0.0)
    bias = tl.load(bias_ptr + s)
    x_tile = x_ptr + s * 2 * N * U + row_offsets[:, None] * U + units[None, :]
    # Logits of reals and fakes, a few rows at a time: all of x would not fit in registers.
    for row in range(0, 2 * N, BLOCK_R):
        in_rows = row + row_offsets < 2 * N
        x = tl.load(x_tile + row * U, mask=in_rows[:, None] & in_units[None, :], other=0.0)
        logits = tl.sum(x.to(tl.float32) * weight[None, :], 1) + bias
        tl.store(logits_ptr + s * 2 * N + row + row_offsets, logits, mask=in_rows)
    # Other threads of this program wrote the logits that are read now, and later the row weights.
    tl.debug_barrier()
    # Pairs of a real and a fake logit: the loss, and both players' slopes by the logits.
    rows = tl.arange(0, BLOCK_N)
    inside = rows < N
    real = tl.load(logits_ptr + s * 2 * N + rows, mask=inside, other=0.0)
    fake = tl.load(logits_ptr + s * 2 * N + N + rows, mask=inside, other=0.0)
    d, g, d_real, d_fake, g_fake = game(real, fake, OBJECTIVE)
    scale = 1.0 / N
    tl.store(row_weight_ptr + s * 2 * N + rows, d_real * scale, mask=inside)
    tl.store(row_weight_ptr + s * 2 * N + N + rows, d_fake * scale, mask=inside)
    tl.store(slope_ptr + s * N + rows, g_fake * scale, mask=inside)
    # Sums of an epoch in float64: tens of thousands of float32 additions would lose digits.
    _, real_probability = softplus_and_sigmoid(real)
    _, fake_probability = softplus_and_sigmoid(fake)
    sums = sums_ptr + 4 * s
    add(sums, d, inside, scale)
    add(sums + 1, g, inside, scale)
    add(sums + 2, real_probability, inside, scale)
    add(sums + 3, fake_probability, inside, scale)
    tl.debug_barrier()
    # A second walk over x, most of it cached: the weight gradient of D's loss. The layers below get
    # a cotangent without the loss's slope, because D's and G's slopes differ: their kernels
    # multiply by `row_weight` or `slope`, and one backward pass serves both players.
    gradient = tl.zeros([BLOCK_U], tl.float32)
    bias_gradient = 0.0
    cotangent = weight.to(cotangent_ptr.dtype.element_ty)
    cotangent_tile = cotangent_ptr + s * 2 * N * U + row_offsets[:, None] * U + units[None, :]
    for row in range(0, 2 * N, BLOCK_R):
        in_rows = row + row_offsets < 2 * N
        tile = in_rows[:, None] & in_units[None, :]
        x = tl.load(x_tile + row * U, mask=tile, other=0.0)
        row_weight = tl.load(
            row_weight_ptr + s * 2 * N + row + row_offsets, mask=in_rows, other=0.0
        )
        gradient += tl.sum(x.to(tl.float32) * row_weight[:, None], 0)
        bias_gradient += tl.sum(row_weight, 0)
        rows_of_it = tl.broadcast_to(cotangent[None, :], [BLOCK_R, BLOCK_U])
        tl.store(cotangent_tile + row * U, rows_of_it, mask=tile)
    # The weights as the forward pass read them have been stored as cotangent; now they may move.
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
