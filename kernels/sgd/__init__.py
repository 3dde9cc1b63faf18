"""The optimiser step."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.sgd.op import sgd_momentum_max_norm_
from ganbench_kernels.spec import (
    DTYPES,
    MAXOUT_PIECES,
    MAXOUT_UNITS,
    MNIST_PIXELS,
    POINTERS,
    Benchmark,
    Build,
    Example,
    Spec,
    for_each,
)

# A linear weight, a maxout weight and bias, a bias, nothing.
SHAPES = (3, 1271), (2, 5, 4, 63), (2, 5, 4), (7,), (0, 3)
BOUNDS = [1.9, 1.0, None, None, 1.0]
PAPER_BOUND = 1.9365


def _builds() -> Iterator[Build]:
    from ganbench_kernels.sgd import kernels

    rates = {"TENSOR_LR": True, "TENSOR_MOMENTUM": True}
    for dtype in DTYPES:
        types = {"lr": POINTERS[dtype], "momentum": POINTERS[dtype]}
        for kernel in (kernels.sgd_kernel, kernels.sgd_max_norm_kernel):
            yield Build(kernel, dtype, "", rates, types=types)


def _step(
    parameters: list[Tensor],
    velocities: list[Tensor],
    gradients: list[Tensor],
    *rest: Any,
    impl: Any,
) -> tuple[Tensor, ...]:
    """The parameters and velocities that a step leaves, from copies."""
    new, velocities = ([one.clone() for one in tensors] for tensors in (parameters, velocities))
    sgd_momentum_max_norm_(new, velocities, gradients, *rest, impl=impl)
    return *new, *velocities


def _state(randn: Callable[..., Tensor]) -> tuple[list[Tensor], ...]:
    return tuple([scale * randn(*shape) for shape in SHAPES] for scale in (1, 2, 3))


def _examples() -> Iterator[Example]:
    for name, (lr, momentum) in {
        "numbers": (0.1, 0.7),
        "tensors": (torch.tensor(0.1), torch.tensor(0.7)),
    }.items():
        yield Example(f"small-{name}", _state, (lr, momentum, BOUNDS), backward=False)


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    lead, units = (seeds, MAXOUT_PIECES), MAXOUT_UNITS * scale
    shapes = (*lead, units, MNIST_PIXELS), (*lead, units), (seeds, 1, units)
    parameters, velocities, gradients = ([randn(*shape) for shape in shapes] for _ in "pvg")
    bounds = [PAPER_BOUND, None, PAPER_BOUND]

    def ours(*_: Any) -> None:
        step = parameters, velocities, gradients
        sgd_momentum_max_norm_(*step, 1e-3, 0.5, bounds, impl=impl)

    # The optimiser's own lists, so that both update memory of their own.
    theirs = [torch.nn.Parameter(parameter.clone()) for parameter in parameters]
    for parameter, gradient in zip(theirs, gradients, strict=True):
        parameter.grad = gradient
    optimiser = torch.optim.SGD(theirs, lr=1e-3, momentum=0.5, foreach=True)

    def foreach(*_: Any) -> None:
        optimiser.step()
        for parameter, bound in zip(theirs, bounds, strict=True):
            if bound is not None:
                norm = torch.linalg.vector_norm(parameter, dim=-1, keepdim=True)
                parameter.mul_((bound / norm).clamp_(max=1))

    size = sum(parameter.numel() for parameter in parameters)
    moved, rivals = 5.0 * size * parameters[0].element_size(), {"foreach": foreach}
    name, in_place = "sgd_momentum_max_norm_", {"backward": False, "comparable": False}
    return Benchmark(name, size, (), ours, rivals, 0.0, moved, **in_place)


BLOCKS = for_each(DTYPES, BLOCK=1024, num_warps=4)
SPEC = Spec(
    "sgd_momentum_max_norm_",
    builds=_builds,
    settings={"sgd_kernel": BLOCKS, "sgd_max_norm_kernel": BLOCKS},
    call=_step,
    examples=tuple(_examples()),
    tolerance={"rtol": 3e-6, "atol": 1e-6},
    benchmark=_benchmark,
)
