"""The maximum over channel pieces and spatial windows."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganbench_kernels.pooled_maxout.op import maxout_pool2d
from ganbench_kernels.spec import BATCH, DTYPES, Benchmark, Build, Example, Spec, for_each

# Pieces, side of the windows, step; overlapping, disjoint, and partial at the border.
SHAPES = {
    (2, 4, 9, 7): (2, 4, 2),
    (1, 6, 5, 5): (3, 2, 2),
    (2, 4, 5, 5): (2, 3, 1),
    (2, 4, 9, 10): (2, 4, 3),
    (0, 2, 4, 5): (2, 4, 2),
}


def _builds() -> Iterator[Build]:
    from ganbench_kernels.pooled_maxout import kernels

    for kernel in (kernels.maxout_pool2d_fwd_kernel, kernels.maxout_pool2d_bwd_kernel):
        for dtype in DTYPES:
            for size in (2, 4):
                sizes = {"PIECES": 2, "KERNEL": size, "STRIDE": 2}
                yield Build(kernel, dtype, f"window{size}", sizes)


def _with_ties(shape: tuple[int, ...]) -> Callable[..., tuple[Tensor, ...]]:
    def make(randn: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        x = randn(*shape).round(decimals=1)
        if x.numel():
            x[0, 0, 0, 0] = torch.nan
        return (x,)

    return make


def _examples() -> Iterator[Example]:
    yield Example("small", lambda randn: (randn(2, 4, 7, 8),), (2, 3, 2))
    for shape, sizes in SHAPES.items():
        yield Example(f"small-{list(shape)}", _with_ties(shape), sizes)
    paper = BATCH, 64, 33, 33
    yield Example("paper", lambda randn: (randn(*paper),), (2, 4, 2), on_gpu_only=True)


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    x = randn(BATCH * scale, seeds * 64, 33, 33)
    ours = lambda t: maxout_pool2d(t, 2, 4, 2, impl=impl)  # noqa: E731

    def eager(t: Tensor) -> Tensor:
        return functional.max_pool2d(t.unflatten(1, (-1, 2)).amax(2), 4, 2, ceil_mode=True)

    moved = 2.0 * x.element_size() * x.numel() * (1 + 16 * 16 / (2 * 33 * 33))
    return Benchmark("maxout_pool2d", x.numel(), (x,), ours, {"eager": eager}, 0.0, moved)


BLOCKS = for_each(DTYPES, BLOCK=512, num_warps=4)
SPEC = Spec(
    "maxout_pool2d",
    builds=_builds,
    settings={"maxout_pool2d_fwd_kernel": BLOCKS, "maxout_pool2d_bwd_kernel": BLOCKS},
    call=maxout_pool2d,
    examples=tuple(_examples()),
    tolerance={"rtol": 3e-6, "atol": 1e-6},
    benchmark=_benchmark,
)
