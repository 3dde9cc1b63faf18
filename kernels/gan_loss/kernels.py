"""Both players' losses and their gradients in Triton, in one pass over the logits.

Every logit gives two terms of each loss and two derivatives. Sums run over fixed tiles in a fixed
order, so that equal inputs give equal bits.
"""

import triton
import triton.language as tl


@triton.jit
def softplus_and_sigmoid(x):
    """log(1 + exp(x)) and 1 / (1 + exp(-x)), to the last bits for every x."""
    # exp of a number that is never positive: it cannot overflow, whatever the logit.
    small = tl.exp(-tl.abs(x))
    # log1p(small) = 2 atanh(s): its series keeps small values, which log(1 + small) rounds away.
    s = small / (2.0 + small)
    s2 = s * s
    series = 1.0 / 13.0 + s2 * (1.0 / 15.0)
    series = 1.0 / 9.0 + s2 * (1.0 / 11.0 + s2 * series)
    series = 1.0 / 5.0 + s2 * (1.0 / 7.0 + s2 * series)
    log1p = 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * series))
    # The same exponential gives the sigmoid; tl.maximum would turn a NaN into 0.
    sigmoid = tl.where(x >= 0, 1.0, small) / (1.0 + small)
    positive = tl.where(x > 0, x, tl.where(x != x, x, 0.0))
    return positive + log1p, sigmoid


@triton.jit
def game(real, fake, OBJECTIVE: tl.constexpr):
    """Each logit's terms of D's and G's loss, and their derivatives (D by real, D by fake, G)."""
    # Comparisons are written so that a NaN fails them and reaches the loss.
    if OBJECTIVE == "hinge":
        real_margin, fake_margin = 1.0 - real, 1.0 + fake
        d = tl.where(real_margin <= 0, 0.0, real_margin)
        d += tl.where(fake_margin <= 0, 0.0, fake_margin)
        d_real = tl.where(real_margin <= 0, 0.0, -1.0)
        d_fake = tl.where(fake_margin <= 0, 0.0, 1.0)
        g, g_fake = -fake, tl.full(fake.shape, -1.0, tl.float32)
    elif OBJECTIVE == "wasserstein":
        d, g = fake - real, -fake
        d_real, d_fake = tl.full(fake.shape, -1.0, tl.float32), tl.full(fake.shape, 1.0, tl.float32)
        g_fake = d_real
    elif OBJECTIVE == "non_saturating" or OBJECTIVE == "minimax":
        # sigmoid(-a) is 1 - sigmoid(a) without the cancellation.
        real_loss, not_real = softplus_and_sigmoid(-real)
        fake_loss, fake_probability = softplus_and_sigmoid(fake)
        d = 0.5 * (real_loss + fake_loss)
        d_real, d_fake = -0.5 * not_real, 0.5 * fake_probability
        if OBJECTIVE == "minimax":
            g, g_fake = -fake_loss, -fake_probability
        else:
            g, not_fake = softplus_and_sigmoid(-fake)
            g_fake = -not_fake
    else:
        tl.static_assert(False, "game: no formulas in Triton for this OBJECTIVE; add them")
    return d, g, d_real, d_fake, g_fake


@triton.jit
def adversarial_loss_kernel(
    real_ptr,  # [S, N]
    fake_ptr,  # [S, N]
    sums_ptr,  # float32 [S, parts, 2]: D's and G's
    gradients_ptr,  # [3, S, N]: D by real, D by fake, G by fake
    N,
    span,  # logits of one part
    scale,  # 1 / N
    OBJECTIVE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # A program sums one part of one seed's logits. With a single part its sum is the loss, and
    # there is no second launch.
    part, parts, s = tl.program_id(0), tl.num_programs(0), tl.program_id(1).to(tl.int64)
    stride = tl.num_programs(1).to(tl.int64) * N
    d_sum = tl.zeros([BLOCK], tl.float32)
    g_sum = tl.zeros([BLOCK], tl.float32)
    start = part.to(tl.int64) * span
    for i in range(0, span, BLOCK):
        logits = start + i + tl.arange(0, BLOCK)
        inside = (logits < N) & (logits < start + span)
        at = s * N + logits
        real = tl.load(real_ptr + at, mask=inside, other=0.0).to(tl.float32)
        fake = tl.load(fake_ptr + at, mask=inside, other=0.0).to(tl.float32)
        # Gradients with the losses: the backward pass only scales what is written here.
        d, g, d_real, d_fake, g_fake = game(real, fake, OBJECTIVE)
        d_sum += tl.where(inside, d, 0.0)
        g_sum += tl.where(inside, g, 0.0)
        dtype = gradients_ptr.dtype.element_ty
        tl.store(gradients_ptr + at, (d_real * scale).to(dtype), mask=inside)
        tl.store(gradients_ptr + stride + at, (d_fake * scale).to(dtype), mask=inside)
        tl.store(gradients_ptr + 2 * stride + at, (g_fake * scale).to(dtype), mask=inside)
    sums = sums_ptr + 2 * (s * parts + part)
    tl.store(sums, tl.sum(d_sum, 0) * scale)
    tl.store(sums + 1, tl.sum(g_sum, 0) * scale)


@triton.jit
def adversarial_loss_sum_kernel(
    sums_ptr,  # float32 [S, parts, 2]
    losses_ptr,  # float32 [S, 2]
    parts,
    BLOCK: tl.constexpr,
):
    s = tl.program_id(0).to(tl.int64)
    part = tl.arange(0, BLOCK)
    at = sums_ptr + 2 * (s * parts + part)
    tl.store(losses_ptr + 2 * s, tl.sum(tl.load(at, mask=part < parts, other=0.0), 0))
    tl.store(losses_ptr + 2 * s + 1, tl.sum(tl.load(at + 1, mask=part < parts, other=0.0), 0))
