"""The Parzen log-likelihood in Triton: tiled distances, online log-sum-exp, no M x N matrix.

All bandwidths share one running minimum of the distances, and run in a loop at run time: unrolled,
they spill. Norms come precomputed. Splits of the centers fill the GPU when there are few points.

The gradient works out a slab's distances again, and from them the pull of each center on each
point: the sum over bandwidths of gradient, share and 1 / sigma^2. Products of the pull with centers
and with points give both gradients.
"""

import triton
import triton.language as tl

LOG2E: tl.constexpr = tl.constexpr(1.4426950408889634)


# Compiled anew for a single bandwidth it would spill on sm_100.
@triton.jit(do_not_specialize=["K"])
def parzen_kernel(
    points_ptr,  # [M, D], centred
    centers_ptr,  # [N, D], centred
    point_norms_ptr,  # [M]
    center_norms_ptr,  # [N]
    exponents_ptr,  # [K]: -1 / (2 sigma^2)
    nearest_ptr,  # [splits, M]: smallest squared distance
    sums_ptr,  # [splits, K, M]: sum of exp(exponent (distance - smallest))
    M,
    N,
    D,
    K,
    span,  # centers of one split
    PRECISION: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # One program for a tile of points and one split of the centers.
    split, row = tl.program_id(1), tl.program_id(0) * BLOCK_M
    rows, columns = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    in_rows = row + rows < M
    k_index = tl.arange(0, BLOCK_K)
    # exp2 is what the hardware has; the bandwidths past K are never stored.
    exponents = tl.load(exponents_ptr + k_index, mask=k_index < K, other=-1.0) * LOG2E
    point_norms = tl.load(point_norms_ptr + row + rows, mask=in_rows, other=0.0)
    points_tile = points_ptr + row.to(tl.int64) * D + rows[:, None] * D + columns[None, :]
    # The running log-sum-exp: smallest distance of each point, and sums relative to it.
    nearest = tl.full([BLOCK_M], float("inf"), tl.float32)
    sums = tl.zeros([BLOCK_M, BLOCK_K], tl.float32)
    start, stop = split * span, tl.minimum(N, (split + 1) * span)
    centers = tl.arange(0, BLOCK_N)
    centers_tile = centers_ptr + start.to(tl.int64) * D + centers[None, :] * D + columns[:, None]
    for n in range(start, stop, BLOCK_N):
        # Squared distances from one product, |p|^2 + |c|^2 - 2 p.c; centers past the end are
        # infinitely far, so that they add nothing.
        in_centers = n + centers < stop
        products = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
        for d in range(0, D, BLOCK_D):
            in_columns = d + columns < D
            x = tl.load(points_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
            c = tl.load(centers_tile + d, mask=in_columns[:, None] & in_centers[None, :], other=0.0)
            products = tl.dot(x, c, products, input_precision=PRECISION)
        centers_tile += BLOCK_N * D
        center_norms = tl.load(center_norms_ptr + n + centers, mask=in_centers, other=float("inf"))
        distances = point_norms[:, None] + center_norms[None, :] - 2.0 * products
        # tl.maximum and tl.min drop a NaN: it must reach the sums through the exponentials.
        distances = tl.where(distances < 0, 0.0, distances)
        # A nearer center rescales every sum, which keeps all exponents at or below zero.
        closer = tl.minimum(nearest, tl.min(distances, 1))
        sums *= tl.exp2((nearest - closer)[:, None] * exponents[None, :])
        nearest = closer
        beyond = distances - closer[:, None]
        # One distance tile serves all bandwidths. A column of `sums` cannot be indexed: the others
        # get 0.
        for k in range(K):
            exponent = tl.load(exponents_ptr + k) * LOG2E
            term = tl.sum(tl.exp2(beyond * exponent), 1)
            sums += tl.where(k_index == k, 1.0, 0.0)[None, :] * term[:, None]
    # The launch joins the splits: it has both parts of each one's log-sum-exp.
    tl.store(nearest_ptr + split.to(tl.int64) * M + row + rows, nearest, mask=in_rows)
    target = sums_ptr + split.to(tl.int64) * K * M + row + k_index[None, :] * M + rows[:, None]
    tl.store(target, sums, mask=in_rows[:, None] & (k_index < K)[None, :])


@triton.jit
def parzen_pull_kernel(
    points_ptr,  # [M, D], centred
    centers_ptr,  # [N, D], centred
    point_norms_ptr,  # [M]
    center_norms_ptr,  # [N]
    exponents_ptr,  # [K]: -1 / (2 sigma^2)
    log_sums_ptr,  # [K, M]: log of the sum of exp(exponent distance) over all centers
    grad_ptr,  # [K, M]
    pull_ptr,  # [M, width]; columns past N are written too, as zeros
    sums_ptr,  # [K, blocks of M, blocks of N]: sums of grad share distance
    M,
    N,
    D,
    K,
    width,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # One program for each tile of the slab.
    row, center = tl.program_id(0) * BLOCK_M, tl.program_id(1) * BLOCK_N
    rows, centers, columns = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    in_rows, in_centers = row + rows < M, center + centers < N
    points_tile = points_ptr + row.to(tl.int64) * D + rows[:, None] * D + columns[None, :]
    centers_tile = centers_ptr + center.to(tl.int64) * D + centers[None, :] * D + columns[:, None]
    # The same product in the same order as in the forward pass: what rounding did to a distance
    # there cancels out of its share here.
    products = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for d in range(0, D, BLOCK_D):
        in_columns = d + columns < D
        x = tl.load(points_tile + d, mask=in_rows[:, None] & in_columns[None, :], other=0.0)
        c = tl.load(centers_tile + d, mask=in_columns[:, None] & in_centers[None, :], other=0.0)
        products = tl.dot(x, c, products, input_precision=PRECISION)
    point_norms = tl.load(point_norms_ptr + row + rows, mask=in_rows, other=0.0)
    center_norms = tl.load(center_norms_ptr + center + centers, mask=in_centers, other=0.0)
    distances = point_norms[:, None] + center_norms[None, :] - 2.0 * products
    distances = tl.where(distances < 0, 0.0, distances)
    # No zero stands in for a gradient past the ends: a NaN would pass through its product.
    inside = in_rows[:, None] & in_centers[None, :]
    pull = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    block = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    for k in range(K):
        exponent = tl.load(exponents_ptr + k)
        log_sums = tl.load(log_sums_ptr + k * M + row + rows, mask=in_rows, other=0.0)
        grad = tl.load(grad_ptr + k * M + row + rows, mask=in_rows, other=0.0)
        share = tl.exp2((exponent * distances - log_sums[:, None]) * LOG2E) * grad[:, None]
        share = tl.where(inside, share, 0.0)
        pull -= 2.0 * exponent * share
        # One number a program and bandwidth: atomics would add them in any order.
        total = tl.sum(tl.sum(share * distances, 1), 0)
        tl.store(sums_ptr + k * tl.num_programs(0) * tl.num_programs(1) + block, total)
    target = pull_ptr + row.to(tl.int64) * width + center + rows[:, None] * width
    in_width = center + centers < width
    tl.store(target + centers[None, :], pull, mask=in_rows[:, None] & in_width[None, :])


@triton.jit
def parzen_gradient_kernel(
    pull_ptr,  # [M, width], or transposed
    own_ptr,  # [pulled, D]: what gets a gradient
    other_ptr,  # [pulling, D]
    out_ptr,  # [pulled, D]: added to
    pulled,
    pulling,
    D,
    width,
    TRANSPOSED: tl.constexpr,  # the pull's columns belong to `own`
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """out[r] += sum over i of pull[r, i] (other[i] - own[r])."""
    row, column = tl.program_id(0) * BLOCK_M, tl.program_id(1) * BLOCK_D
    rows, inner, columns = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    in_rows, in_columns = row + rows < pulled, column + columns < D
    total = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    pulls = tl.zeros([BLOCK_M], tl.float32)
    if TRANSPOSED:
        pull_tile = pull_ptr + row + inner[None, :] * width + rows[:, None]
    else:
        pull_tile = pull_ptr + row.to(tl.int64) * width + rows[:, None] * width + inner[None, :]
    other_tile = other_ptr + column + inner[:, None] * D + columns[None, :]
    for i in range(0, pulling, BLOCK_N):
        in_inner = i + inner < pulling
        pull = tl.load(pull_tile, mask=in_rows[:, None] & in_inner[None, :], other=0.0)
        other = tl.load(other_tile, mask=in_inner[:, None] & in_columns[None, :], other=0.0)
        total = tl.dot(pull, other, total, input_precision=PRECISION)
        pulls += tl.sum(pull, 1)
        pull_tile += BLOCK_N * width if TRANSPOSED else BLOCK_N
        other_tile += BLOCK_N * D
    place = row.to(tl.int64) * D + column + rows[:, None] * D + columns[None, :]
    inside = in_rows[:, None] & in_columns[None, :]
    own = tl.load(own_ptr + place, mask=inside, other=0.0)
    before = tl.load(out_ptr + place, mask=inside, other=0.0)
    tl.store(out_ptr + place, before + (total - own * pulls[:, None]), mask=inside)
