"""Linear maps followed by the maximum over pieces."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.affine_maxout.op import maxout
from ganbench_kernels.reference import Dropout
from ganbench_kernels.spec import (
    BATCH,
    DTYPES,
    MAXOUT_PIECES,
    MAXOUT_UNITS,
    MNIST_PIXELS,
    Benchmark,
    Build,
    Example,
    Spec,
    for_each,
)

DOT_VARIANTS = ("float32", "tf32", "bfloat16")
DROPOUT = Dropout(0.5, torch.tensor([1, 2]), torch.tensor(3))


def _builds() -> Iterator[Build]:
    from ganbench_kernels.affine_maxout import kernels
    from ganbench_kernels.affine_maxout.launch import INPUT_PRECISION

    forms = ("plain", True), ("one_bit", True), ("lanes", True), ("lanes", False)
    for variant in DOT_VARIANTS:
        precision = {"PRECISION": INPUT_PRECISION[variant]}
        for case, aligned in forms:
            form = {"DROPOUT": case != "plain", "ONE_BIT": case == "one_bit"}
            constants = precision | form | {"GROUP": 8 if aligned else 1}
            yield Build(kernels.maxout_fwd_kernel, variant, case, constants, aligned)
        for aligned in (True, False):
            yield Build(kernels.maxout_bwd_input_kernel, variant, "", precision, aligned)
            weighted = precision | {"WEIGHTED": True}
            yield Build(kernels.maxout_bwd_weight_kernel, variant, "", weighted, aligned)
    for dtype in DTYPES:
        for case in ("one_bit", "lanes"):
            form = {"DROPOUT": True, "ONE_BIT": case == "one_bit"}
            yield Build(kernels.maxout_epilogue_fwd_kernel, dtype, case, form)
        yield Build(kernels.maxout_epilogue_bwd_kernel, dtype)


def _network(s: int, n: int, d: int, u: int, p: int) -> Callable[..., tuple[Tensor, ...]]:
    return lambda randn: (randn(s, n, d), randn(s, p, u, d) / math.sqrt(d), randn(s, p, u))


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    n, d, u, p = BATCH * scale, MNIST_PIXELS, MAXOUT_UNITS, MAXOUT_PIECES
    inputs = _network(seeds, n, d, u, p)(randn)

    def eager(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        flat = weight.flatten(1, 2).transpose(1, 2)
        pieces = torch.baddbmm(bias.flatten(1).unsqueeze(1), x, flat)
        return pieces.unflatten(-1, (p, u)).amax(-2)

    ours = lambda *t: maxout(*t, impl=impl)  # noqa: E731
    moved = 3.0 * seeds * (n * d + p * u * d + p * u + n * u) * inputs[0].element_size()
    size = seeds * n * u * p * d
    return Benchmark("maxout", size, inputs, ours, {"eager": eager}, 6.0 * size, moved)


def _blocks(n: int, u: int, d: int) -> dict[str, dict[str, Any]]:
    blocks = {"BLOCK_N": n, "BLOCK_U": u, "BLOCK_D": d}
    return for_each(DOT_VARIANTS, **blocks, num_warps=8, num_stages=3)


EPILOGUE = for_each(DTYPES, BLOCK=1024, num_warps=4)
SPEC = Spec(
    "maxout",
    builds=_builds,
    settings={
        "maxout_fwd_kernel": _blocks(64, 32, 32),
        "maxout_bwd_input_kernel": _blocks(64, 32, 64),
        "maxout_bwd_weight_kernel": _blocks(32, 64, 64),
        "maxout_epilogue_fwd_kernel": EPILOGUE,
        "maxout_epilogue_bwd_kernel": EPILOGUE,
    },
    call=maxout,
    examples=(
        Example("small", _network(2, 5, 4, 8, 3), (DROPOUT,)),
        Example("small-odd", _network(1, 100, 63, 17, 5)),
        Example(
            "paper", _network(2, 100, 784, 240, 5), (DROPOUT,), on_gpu_only=True, backward=False
        ),
    ),
    # Sums of up to 784 rounded products of size one, in another order.
    tolerance={"rtol": 1e-5, "atol": 1e-4},
    benchmark=_benchmark,
    untuned=("maxout_epilogue_fwd_kernel", "maxout_epilogue_bwd_kernel"),
    more_impls=("triton_epilogue",),
    jumps=True,
)
