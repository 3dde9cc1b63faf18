"""What a folder of `ganbench_kernels` declares of its op, and where the declarations are collected.

A folder that holds an op has a `SPEC` in its `__init__.py`. Compilation ahead of time (`aot.py`),
the default settings (`dispatch.py`), tuning, the benchmark and the tests read the specs, so that
nothing else lists the ops.
"""

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Sizes of the paper's MNIST networks, at which ops are measured.
BATCH, MNIST_PIXELS, MAXOUT_UNITS, MAXOUT_PIECES = 100, 784, 240, 5
DTYPES = ("float32", "bfloat16")  # what kernels without products compute in
POINTERS = {"float32": "*fp32", "tf32": "*fp32", "bfloat16": "*bf16"}

NONE: Mapping[str, Any] = MappingProxyType({})
Settings = dict[str, Any]  # block sizes (upper case) and compiler options (lower case) of a kernel


class Build(NamedTuple):
    """One kernel and all that its compiler needs, except the architecture's settings."""

    kernel: Any
    variant: str  # key of the settings, which says the pointers' type
    case: str = ""  # what tells it from the kernel's other builds
    constants: Mapping[str, Any] = NONE
    aligned: bool = False  # every size is a multiple of 16, as the paper's are
    types: Mapping[str, str] = (
        NONE  # of arguments whose type neither their name nor the variant says
    )
    always_aligned: Sequence[str] = ()  # sizes that the launch makes a multiple of 16
    one: str = ""  # a size that is 1, which a launch makes a constant

    @property
    def name(self) -> str:
        """Identifies a build in the budget file."""
        one = f"{self.one}=1" if self.one else ""
        aligned = "" if self.aligned else "odd"
        parts = self.kernel.__name__, self.variant, self.case, aligned, one
        return "/".join(part for part in parts if part)


class Benchmark(NamedTuple):
    """One op on inputs of one size; every call takes the inputs and returns tensors."""

    op: str
    size: int  # of the call, in the unit of the op's tuned table
    inputs: tuple[Any, ...]
    ours: Callable[..., Any]
    rivals: dict[str, Callable[..., Any]]  # plain torch, by how a user would call it
    flops: float  # of the matrix products, forward (and backward where there is one)
    min_bytes: float  # that have to be read and written at least
    backward: bool = True
    comparable: bool = True  # rivals compute the same: neither in place nor from other random bits


class Example(NamedTuple):
    """One call of an op, on which its implementations have to agree.

    Attributes:
        label: short; a GPU's memory sanitizer runs those that start with "small".
        make: draws the float32 inputs, each of which has a gradient, from a generator of its own.
        rest: the op's other arguments.
        tolerance: replaces the op's.
        on_gpu_only: too large for Triton's interpreter.
        backward: whether gradients are compared too.
    """

    label: str
    make: Callable[[Callable[..., Tensor]], tuple[Any, ...]]
    rest: tuple[Any, ...] = ()
    tolerance: Mapping[str, float] | None = None
    on_gpu_only: bool = False
    backward: bool = True

    def inputs(
        self, dtype: torch.dtype, device: str, wide: bool = False
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Returns fresh inputs, the same in every call, and the other arguments.

        Args:
            dtype: what floating inputs are rounded to.
            device: where tensors are put.
            wide: whether the rounded inputs are given in float64, for an exact result.
        """
        generator = torch.Generator().manual_seed(0)
        made = self.make(lambda *shape: torch.randn(*shape, generator=generator)), self.rest
        rounded = _converted(made, dtype, device)
        return _converted(rounded, torch.float64, device) if wide else rounded


class Spec(NamedTuple):
    """Everything about one op except its implementations.

    Attributes:
        op: name of the public function.
        builds: yields what is compiled ahead of time; imports triton.
        settings: defaults by kernel and variant; `tuned/*.json` has what an architecture changes.
        call: the public function, or a form of it that returns what it changes in place.
        examples: the first is small and smooth: it is differentiated, compiled and registered too.
        tolerance: of float32 against the reference in float64.
        benchmark: (randn, seeds, scale, impl) to the op at the paper's sizes; all do one call.
        untuned: kernels that the benchmark does not run.
        more_impls: that `auto` may choose besides "reference" and "triton".
        jumps: whether rounding decides which input wins, so that gradients in low precision differ.
    """

    op: str
    builds: Callable[[], Iterator[Build]]
    settings: Mapping[str, dict[str, Settings]] = NONE
    call: Callable[..., Any] | None = None
    examples: tuple[Example, ...] = ()
    tolerance: Mapping[str, float] = NONE
    benchmark: Callable[..., Benchmark] | None = None
    untuned: Sequence[str] = ()
    more_impls: Sequence[str] = ()
    jumps: bool = False


def for_each(variants: Sequence[str], **settings: Any) -> dict[str, Settings]:
    """Returns the same settings for each variant of a kernel."""
    return {variant: dict(settings) for variant in variants}


@cache
def specs() -> dict[str, Spec]:
    """Returns the declaration of every folder that holds an op, by the op's name."""
    by_op = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.ispkg:
            spec: Spec = import_module(f"ganbench_kernels.{module.name}").SPEC
            by_op[spec.op] = spec
    return by_op


def _converted(value: Any, dtype: torch.dtype, device: str) -> Any:
    """Tensors inside tuples and lists on a device, floating ones in a dtype."""
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else None)
    if isinstance(value, list):
        return [_converted(one, dtype, device) for one in value]
    if isinstance(value, tuple):
        parts = [_converted(one, dtype, device) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
