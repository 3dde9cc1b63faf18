"""Inverted dropout with reproducible masks."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganbench_kernels.inverted_dropout.op import dropout
from ganbench_kernels.spec import (
    BATCH,
    DTYPES,
    MNIST_PIXELS,
    Benchmark,
    Build,
    Example,
    Spec,
    for_each,
)

# Keys and an offset of more than 32 bits, and a negative key.
SEED, OFFSET = torch.tensor([2**40 + 1, -7]), torch.tensor(2**33 + 5)
SHAPES = (2, 1271), (2, 3, 7, 13), (2, 1), (2, 0)
PAPER = (2, BATCH * 2 * MNIST_PIXELS)


def _builds() -> Iterator[Build]:
    from ganbench_kernels.inverted_dropout import kernels

    for dtype in DTYPES:
        for case in ("one_bit", "lanes"):
            yield Build(kernels.dropout_kernel, dtype, case, {"ONE_BIT": case == "one_bit"})


def _examples() -> Iterator[Example]:
    yield Example("small", lambda randn: (randn(2, 9),), (0.8, SEED, OFFSET))
    for keep in (0.5, 0.8, 0.3):  # lanes of one bit, and of 16
        for shape in (*SHAPES, PAPER):
            label = f"{keep}-{list(shape)}"
            make = lambda randn, shape=shape: (randn(*shape),)  # noqa: E731
            yield Example(label, make, (keep, SEED, OFFSET), on_gpu_only=shape == PAPER)


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    x = randn(seeds, 2 * BATCH * scale, MNIST_PIXELS)
    seed = torch.arange(seeds, device=x.device)
    offset = torch.zeros((), dtype=torch.int64, device=x.device)
    ours = lambda t: dropout(t, 0.8, seed, offset, impl=impl)  # noqa: E731
    rivals = {"eager": lambda t: functional.dropout(t, 0.2)}
    moved = 4.0 * x.numel() * x.element_size()
    return Benchmark("dropout", x.numel(), (x,), ours, rivals, 0.0, moved, comparable=False)


SPEC = Spec(
    "dropout",
    builds=_builds,
    settings={"dropout_kernel": for_each(DTYPES, BLOCK=1024, num_warps=4)},
    call=dropout,
    examples=tuple(_examples()),
    tolerance={"rtol": 3e-6, "atol": 1e-6},
    benchmark=_benchmark,
)
