"""The public parzen_log_likelihood and its gradient."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.checks import check_floating, check_shape, check_tensors
from ganbench_kernels.dispatch import Impl, choose
from ganbench_kernels.parzen import tiled as reference
from ganbench_kernels.registration import FusedOp, autocast

OLDER = "allow_tf32", False


def parzen_log_likelihood(
    points: Tensor, centers: Tensor, sigmas: Tensor | Sequence[float] | float, impl: Impl = "auto"
) -> Tensor:
    """Returns the log-density of each point under each Parzen window, [K, M], in nats.

    log of the mean over n of N(points[m]; centers[n], sigmas[k]^2 I); higher is more likely.
    No M x N matrix is held. Differentiable once in all three; bfloat16 is widened to float32
    first, and so is the result.

    Args:
        points: [M, D].
        centers: [N, D], at least one.
        sigmas: [K], bandwidths, positive. Numbers are checked; a tensor's values are not, because
            that would wait for a GPU.
        impl: "reference" is plain torch, "triton" the kernels; "auto" the faster one.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.

    Source: Breuleux et al. (2011), as used in Goodfellow et al. (2014), section 5.
    """
    name = "parzen_log_likelihood"
    check_tensors(name, points=points, centers=centers)
    if not isinstance(sigmas, Tensor):
        sigmas = points.new_tensor(_positive(sigmas))
    points, centers, sigmas = autocast(name, points, centers, sigmas, dtype=torch.float32)
    check_floating("parzen_log_likelihood", points=points, centers=centers, sigmas=sigmas)
    for name, tensor, letters in (("points", points, "M, D"), ("centers", centers, "N, D")):
        if tensor.dim() != 2:
            raise ValueError(
                f"parzen_log_likelihood: {name}: should be [{letters}], got "
                f"{list(tensor.shape)}; flatten images"
            )
    check_shape("parzen_log_likelihood", "points", points, (len(points), centers.shape[1]))
    check_shape("parzen_log_likelihood", "sigmas", sigmas, (sigmas.numel(),))
    if not len(centers):
        raise ValueError(
            "parzen_log_likelihood: centers: should not be empty, got 0; draw some samples"
        )
    chosen = choose("parzen_log_likelihood", impl, points, len(points) * centers.numel())
    # Squared distances in bfloat16 would be off by whole units, which are whole nats.
    if points.dtype == torch.bfloat16:
        points, centers, sigmas = points.float(), centers.float(), sigmas.float()
    return _fused(points, centers, sigmas, chosen)


def _positive(sigmas: Sequence[float] | float) -> list[float]:
    """Bandwidths that were given as numbers."""
    numbers = [sigmas] if isinstance(sigmas, int | float) else list(sigmas)
    for number in numbers:
        if not isinstance(number, int | float) or not 0 < number < math.inf:
            raise ValueError(
                f"parzen_log_likelihood: sigmas: should be positive numbers, got {number!r}; "
                "give bandwidths above 0"
            )
    return [float(number) for number in numbers]


@contextmanager
def _whole_products() -> Iterator[None]:
    """Keeps TF32 out of distances, whatever torch is told: it would cost 0.7 nats a point."""
    matmul = torch.backends.cuda.matmul
    # torch before 2.9 has the older setting only.
    name, whole = ("fp32_precision", "ieee") if hasattr(matmul, "fp32_precision") else OLDER
    before = getattr(matmul, name)
    setattr(matmul, name, whole)
    try:
        yield
    finally:
        setattr(matmul, name, before)


def _forward(points: Tensor, centers: Tensor, sigmas: Tensor, impl: str) -> Tensor:
    if impl == "reference":
        with _whole_products():
            return reference.parzen_log_likelihood(points, centers, sigmas)
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.parzen import launch

    return launch.forward(points, centers, sigmas)


def _backward(
    grad: Tensor, points: Tensor, centers: Tensor, sigmas: Tensor, log_likelihood: Tensor, impl: str
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = grad, points, centers, sigmas, log_likelihood
    if impl == "reference":
        with _whole_products():
            return reference.parzen_log_likelihood_backward(*inputs)
    from ganbench_kernels.parzen import launch

    return launch.backward(*inputs)


def _forward_fake(points: Tensor, centers: Tensor, sigmas: Tensor, impl: str) -> Tensor:
    del centers, impl
    return points.new_empty(len(sigmas), len(points))


def _backward_fake(
    grad: Tensor, points: Tensor, centers: Tensor, sigmas: Tensor, log_likelihood: Tensor, impl: str
) -> tuple[Tensor, ...]:
    del grad, log_likelihood, impl
    return tuple(tensor.new_empty(tensor.shape) for tensor in (points, centers, sigmas))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    # The output is the normaliser of the weights that the backward pass works out again by tiles.
    ctx.save_for_backward(*inputs[:3], output)
    ctx.impl = inputs[3]


def _backward_arguments(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    return grad, *ctx.saved_tensors, ctx.impl


_fused = FusedOp(
    "parzen_log_likelihood",
    forward=_forward,
    fake=_forward_fake,
    backward=_backward,
    backward_fake=_backward_fake,
    save=_save,
    arguments=_backward_arguments,
)
