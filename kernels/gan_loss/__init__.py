"""The losses of both players."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganbench_kernels.gan_loss.op import adversarial_loss
from ganbench_kernels.objectives import OBJECTIVES
from ganbench_kernels.spec import BATCH, DTYPES, Benchmark, Build, Example, Spec, for_each

# Above 32,768 a seed's logits take two launches.
SIZES, GPU_SIZES = (0, 1, 63, 1271, 33_000), {"paper": 100, "two_launches": 1_000_000}
HUGE = 1e4


def _builds() -> Iterator[Build]:
    from ganbench_kernels.gan_loss import kernels

    for dtype in DTYPES:
        for objective in OBJECTIVES:
            constants = {"OBJECTIVE": objective}
            yield Build(kernels.adversarial_loss_kernel, dtype, objective, constants)
    yield Build(kernels.adversarial_loss_sum_kernel, "float32")


def _logits(n: int) -> Callable[..., tuple[Tensor, ...]]:
    """Ordinary logits, huge ones of both signs and a NaN, where there is room for them."""

    def make(randn: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        real, fake = (10 * randn(2, 2, n)).unbind()
        if n > 2:
            real[0, :2], fake[0, :2] = torch.tensor([HUGE, -HUGE]), torch.tensor([-HUGE, HUGE])
            fake[1, 2] = torch.nan
        return real, fake

    return make


def _examples() -> Iterator[Example]:
    yield Example("small", lambda randn: (randn(2, 9), randn(2, 9)), ("minimax",))
    for objective in OBJECTIVES:
        for n in SIZES:
            # Huge terms cancel in the means: each partial sum is off by up to a rounding of those.
            atol = HUGE * 2**-20 / n if n > 2 else 1e-6
            tolerance = {"rtol": 3e-6, "atol": atol}
            yield Example(f"{objective}-{n}", _logits(n), (objective,), tolerance)
        for name, n in GPU_SIZES.items():
            make = lambda randn, n=n: (10 * randn(2, n), 10 * randn(2, n))  # noqa: E731
            yield Example(f"{objective}-{name}", make, (objective,), on_gpu_only=True)


def _benchmark(randn: Callable[..., Tensor], seeds: int, scale: int, impl: Any) -> Benchmark:
    inputs = randn(seeds, BATCH * scale), randn(seeds, BATCH * scale)

    def ours(real: Tensor, fake: Tensor) -> Tensor:
        return torch.stack(adversarial_loss(real, fake, "non_saturating", impl=impl))

    def eager(real: Tensor, fake: Tensor) -> Tensor:
        def entropy(logits: Tensor, target: Tensor) -> Tensor:
            losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            return losses.mean(-1)

        ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
        d = 0.5 * (entropy(real, ones) + entropy(fake, zeros))
        return torch.stack((d, entropy(fake, ones)))

    size, moved = 2 * inputs[0].numel(), 4.0 * inputs[0].numel() * inputs[0].element_size()
    return Benchmark("adversarial_loss", size, inputs, ours, {"eager": eager}, 0.0, moved)


SPEC = Spec(
    "adversarial_loss",
    builds=_builds,
    settings={
        "adversarial_loss_kernel": for_each(DTYPES, BLOCK=1024, num_warps=4),
        "adversarial_loss_sum_kernel": {"float32": {"BLOCK": 1024, "num_warps": 4}},
    },
    call=adversarial_loss,
    examples=tuple(_examples()),
    tolerance={"rtol": 3e-6, "atol": 1e-6},
    benchmark=_benchmark,
    untuned=("adversarial_loss_sum_kernel",),
)
