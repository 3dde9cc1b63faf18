"""Launches the Parzen kernels; joins the forward pass's splits and the backward's slabs."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

from typing import Any

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
# Points and centers of a slab of the backward pass, whose pull lies in memory: 64 MiB.
SLAB = 1024, 16_384


def forward(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Runs `parzen_kernel`: as `tiled.parzen_log_likelihood`, on float32."""
    if len(sigmas) > MAX_BLOCK_K:
        return torch.cat([forward(points, centers, part) for part in sigmas.split(MAX_BLOCK_K)])
    (m, size), n, k = points.shape, len(centers), len(sigmas)
    if m == 0 or k == 0:
        return points.new_empty(k, m)
    points, centers = _centred(points, centers)
    config = _config("parzen_kernel", points.device)
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


def backward(
    grad: Tensor, points: Tensor, centers: Tensor, sigmas: Tensor, log_likelihood: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs the gradient kernels: as `tiled.parzen_log_likelihood_backward`, on float32."""
    n, size = centers.shape
    log_sums = log_likelihood + log_volume(n, size, sigmas)
    points, centers = _centred(points, centers)
    grad_points, grad_centers = (part.new_zeros(part.shape) for part in (points, centers))
    grad_sigmas = grad.sum(-1, dtype=torch.float64) * -size / sigmas
    for row in range(0, len(points), SLAB[0]):
        rows = slice(row, row + SLAB[0])
        bandwidths = -0.5 / sigmas.square(), log_sums[:, rows], grad[:, rows]
        for column in range(0, n, SLAB[1]):
            columns = slice(column, column + SLAB[1])
            part, near = points[rows], centers[columns]
            pull, sums = _pull(part, near, *bandwidths)
            grad_sigmas += sums / sigmas.double() ** 3
            _add_gradient(pull, part, near, grad_points[rows], transposed=False)
            _add_gradient(pull, near, part, grad_centers[columns], transposed=True)
    return grad_points[:, :size], grad_centers[:, :size], grad_sigmas.to(sigmas.dtype)


def _pull(
    points: Tensor, centers: Tensor, exponents: Tensor, log_sums: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    """A slab's pull [M, N] of centers on points, its rows padded; sums of grad share distance."""
    (m, size), n, k = points.shape, len(centers), len(exponents)
    config = _config("parzen_pull_kernel", points.device)
    grid = triton.cdiv(m, config["BLOCK_M"]), triton.cdiv(n, config["BLOCK_N"])
    width = ALIGNMENT * triton.cdiv(n, ALIGNMENT)
    pull, sums = points.new_empty(m, width), points.new_empty(k, *grid)
    tile = max(config["BLOCK_M"], config["BLOCK_N"])
    launch(kernels.parzen_pull_kernel, grid,
        points, centers, points.square().sum(-1), centers.square().sum(-1), exponents,
        log_sums, grad, pull, sums, m, n, size, k, width,
        reach=max(tile * max(size, width), k * m + tile, sums.numel()), writes=(pull, sums),
        **config,
    )  # fmt: skip
    return pull, sums.sum((1, 2), dtype=torch.float64)


def _add_gradient(pull: Tensor, own: Tensor, other: Tensor, out: Tensor, transposed: bool) -> None:
    """out += pull other - own times the pull's row sums; with the pull transposed where asked."""
    rows, size = own.shape
    config = _config("parzen_gradient_kernel", own.device)
    grid = triton.cdiv(rows, config["BLOCK_M"]), triton.cdiv(size, config["BLOCK_D"])
    tile = max(config["BLOCK_M"], config["BLOCK_N"])
    launch(kernels.parzen_gradient_kernel, grid,
        pull, own, other, out, rows, len(other), size, pull.shape[1],
        reach=tile * max(size, pull.shape[1]), writes=(out,), TRANSPOSED=transposed, **config,
    )  # fmt: skip


def _centred(points: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets less the centers' mean."""
    # Columns of zeros change no distance and keep every row aligned for vector loads.
    padding, mean = (0, -centers.shape[1] % ALIGNMENT), centers.mean(0)
    return pad(points - mean, padding), pad(centers - mean, padding)


def _config(kernel: str, device: torch.device) -> dict[str, Any]:
    config = kernel_config(kernel, "float32", device)
    if interpreting():
        # The interpreter multiplies in float32 whatever is asked for, and knows no bf16x6.
        config["PRECISION"] = "ieee"
    return config
