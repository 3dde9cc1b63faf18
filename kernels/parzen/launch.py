"""Launches the Parzen kernel and joins its splits."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

import torch
import triton
from torch import Tensor
from torch.nn.functional import pad

from ganbench_kernels.dispatch import interpreting, kernel_config
from ganbench_kernels.launching import launch
from ganbench_kernels.parzen import kernels
from ganbench_kernels.parzen.tiled import log_volume

# The smallest number of programs that keeps a large GPU busy (132 to 304 processors).
PROGRAMS = 512
MIN_BLOCK_K, MAX_BLOCK_K = 16, 64  # bandwidths of one launch: more would spill registers
ALIGNMENT = 16


def forward(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Runs `parzen_kernel`: as `tiled.parzen_log_likelihood`, on float32."""
    if len(sigmas) > MAX_BLOCK_K:
        return torch.cat([forward(points, centers, part) for part in sigmas.split(MAX_BLOCK_K)])
    (m, size), n, k = points.shape, len(centers), len(sigmas)
    if m == 0 or k == 0:
        return points.new_empty(k, m)
    # Columns of zeros change no distance and keep every row aligned for vector loads.
    padding, mean = (0, -size % ALIGNMENT), centers.mean(0)
    points, centers = pad(points - mean, padding), pad(centers - mean, padding)
    config = kernel_config("parzen_kernel", "float32", points.device)
    if interpreting():
        # The interpreter multiplies in float32 whatever is asked for, and knows no bf16x6.
        config["PRECISION"] = "ieee"
    # Too few points to fill a GPU are made up for by cutting the centres into splits, whose partial
    # sums are joined below; whole blocks of centres each.
    blocks = triton.cdiv(m, config["BLOCK_M"])
    splits = min(triton.cdiv(n, config["BLOCK_N"]), triton.cdiv(PROGRAMS, blocks))
    span = config["BLOCK_N"] * triton.cdiv(triton.cdiv(n, config["BLOCK_N"]), splits)
    splits = triton.cdiv(n, span)
    # Triton's products and aranges take powers of two.
    block_k = max(MIN_BLOCK_K, triton.next_power_of_2(k))
    exponents = -0.5 / sigmas.square()
    nearest = points.new_empty(splits, m)
    sums = points.new_empty(splits, k, m)
    launch(kernels.parzen_kernel, (blocks, splits),
        points, centers, points.square().sum(-1), centers.square().sum(-1), exponents,
        nearest, sums, m, n, points.shape[1], k, span,
        reach=max(m + config["BLOCK_M"], n + 2 * span, block_k * m), writes=(nearest, sums),
        BLOCK_K=block_k, **config,
    )  # fmt: skip
    # A split has sums relative to its own nearest centre, so that exp never underflows to 0.
    log_sums = exponents.unsqueeze(-1) * nearest.unsqueeze(1) + sums.log()
    return torch.logsumexp(log_sums, 0) - log_volume(n, size, sigmas)
