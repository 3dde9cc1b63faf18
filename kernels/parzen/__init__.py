"""The log-likelihood under a Parzen window."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.parzen.op import parzen_log_likelihood
from ganbench_kernels.spec import BATCH, MNIST_PIXELS, Benchmark, Build, Example, Spec

BANDWIDTHS, POINTS, CENTERS = 10, 10 * BATCH, 10_000
# Points, centers, dimensions, bandwidths.
SIZES = (70, 300, 63, 10), (1, 1, 1, 1), (130, 65, 32, 3), (5, 17, 16, 70)


def _builds() -> Iterator[Build]:
    from ganbench_kernels.parzen import kernels

    # The launch pads the columns and cuts the centers in whole blocks, whatever its caller's sizes.
    forms = (
        ("", 16, True),
        ("", 16, False),
        ("bandwidths_32", 32, True),
        ("bandwidths_64", 64, True),
    )
    for case, bandwidths, aligned in forms:
        yield Build(
            kernels.parzen_kernel, "float32", case, {"BLOCK_K": bandwidths}, aligned,
            always_aligned=("D", "span"),
        )  # fmt: skip
    # A slab's pull has rows of a multiple of 16 too.
    padded = "D", "width"
    for aligned in (True, False):
        yield Build(
            kernels.parzen_pull_kernel, "float32", "", {}, aligned, always_aligned=padded
        )  # fmt: skip
        for transposed in (True, False):
            case, form = "transposed" if transposed else "", {"TRANSPOSED": transposed}
            yield Build(
                kernels.parzen_gradient_kernel, "float32", case, form, aligned,
                always_aligned=padded,
            )  # fmt: skip


def _images(m: int, n: int, d: int, k: int) -> Callable[..., tuple[Tensor, ...]]:
    return lambda randn: (randn(m, d).sigmoid(), randn(n, d).sigmoid(), torch.logspace(-1, 0, k))


def _examples() -> Iterator[Example]:
    wide = lambda randn: (randn(5, 4), randn(7, 4), torch.tensor([0.5, 1.0]))  # noqa: E731
    yield Example("small", wide)
    # A share is as exact as the log-likelihood's rounding, some 1e-5 nats, leaves it.
    gradients = {"rtol": 1e-5, "atol": 0.01}
    for sizes in SIZES:
        yield Example(f"small-{sizes}", _images(*sizes), tolerance=gradients)
    paper = _images(POINTS, CENTERS, MNIST_PIXELS, BANDWIDTHS)
    yield Example("paper", paper, on_gpu_only=True)


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    del seeds
    m, d = POINTS * scale, MNIST_PIXELS
    points, centers = randn(m, d).sigmoid(), randn(CENTERS, d).sigmoid()
    sigmas = torch.logspace(-1, 0, BANDWIDTHS, device=points.device, dtype=points.dtype)
    ours = lambda *t: parzen_log_likelihood(*t, impl=impl)  # noqa: E731
    rivals = {"eager": per_bandwidth, "eager_shared_distances": shared_distances}
    if points.dtype == torch.bfloat16:
        rivals = {}  # torch.cdist has no bfloat16
    flops, moved = 2.0 * m * CENTERS * d, (m + CENTERS) * d + m * BANDWIDTHS
    name, moved = "parzen_log_likelihood", moved * points.element_size()
    inputs = points, centers, sigmas
    return Benchmark(name, m * CENTERS * d, inputs, ours, rivals, flops, moved, backward=False)


def per_bandwidth(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Returns the log-likelihoods as most code has them: a distance matrix per bandwidth."""
    return torch.stack(
        [_window(torch.cdist(points, centers).square(), centers, sigma) for sigma in sigmas]
    )


def shared_distances(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Returns the log-likelihoods from one distance matrix, held whole."""
    squared = torch.cdist(points, centers).square()
    return torch.stack([_window(squared, centers, sigma) for sigma in sigmas])


def _window(squared: Tensor, centers: Tensor, sigma: Tensor) -> Tensor:
    number, size = centers.shape
    constant = math.log(number) + size * (sigma.log() + 0.5 * math.log(2 * math.pi))
    return torch.logsumexp(-squared / (2 * sigma**2), 1) - constant


BLOCKS = {"PRECISION": "tf32x3", "BLOCK_M": 128, "BLOCK_N": 64, "BLOCK_D": 32}
WARPS = {"num_warps": 8, "num_stages": 2}
SPEC = Spec(
    "parzen_log_likelihood",
    builds=_builds,
    settings={
        "parzen_kernel": {"float32": BLOCKS | WARPS},
        "parzen_pull_kernel": {"float32": BLOCKS | {"BLOCK_M": 64} | WARPS},
        "parzen_gradient_kernel": {"float32": BLOCKS | {"BLOCK_M": 64, "BLOCK_N": 32} | WARPS},
    },
    # The benchmark is of the forward pass, which is what an evaluation makes.
    untuned=("parzen_pull_kernel", "parzen_gradient_kernel"),
    call=parzen_log_likelihood,
    examples=tuple(_examples()),
    # float32 distances at a bandwidth of 0.1: half of what kernels/README.md allows, in nats.
    tolerance={"rtol": 1e-6, "atol": 0.01},
    benchmark=_benchmark,
)
