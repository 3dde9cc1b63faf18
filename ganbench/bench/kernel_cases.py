"""Each op at the paper's shapes, beside what people would write for it in torch."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

import ganbench_kernels as kernels

Call = Callable[..., Any]
SIGMAS = 10
MNIST_PIXELS, MAXOUT_UNITS, MAXOUT_PIECES = 784, 240, 5
BATCH, POINTS, CENTERS = 100, 1_000, 10_000


class Case(NamedTuple):
    """One op on inputs of one size; every call takes the inputs and returns tensors."""

    op: str
    size: int  # of the call, in the unit of the op's tuned table
    inputs: tuple[Any, ...]
    ours: Call
    rivals: dict[str, Call]  # plain torch, by how a user would call it
    flops: float  # of the matrix products, forward (and backward where there is one)
    min_bytes: float  # that have to be read and written at least
    backward: bool = True


def cases(device: str, dtype: torch.dtype, seeds: int, scale: int, impl: str) -> list[Case]:
    """Returns every op's case.

    Args:
        device: torch device.
        dtype: of the floating inputs.
        seeds: S, trained together; only where the op has a seed dimension.
        scale: multiplies the batch (or the number of points).
        impl: what our ops are asked for.
    """
    make = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> Tensor:
        tensor = torch.randn(shape, generator=make)
        return tensor.to(device=device, dtype=dtype)

    settings = randn, seeds, BATCH * scale, impl
    return [
        _maxout(*settings),
        _dropout(*settings),
        _maxout_pool2d(*settings),
        _adversarial_loss(*settings),
        _parzen(randn, POINTS * scale, impl),
        _sgd(randn, seeds, scale, impl),
    ]


def _maxout(randn: Call, s: int, n: int, impl: Any) -> Case:
    d, u, p = MNIST_PIXELS, MAXOUT_UNITS, MAXOUT_PIECES
    inputs = randn(s, n, d), randn(s, p, u, d) / math.sqrt(d), randn(s, p, u)

    def eager(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        flat = weight.flatten(1, 2).transpose(1, 2)
        pieces = torch.baddbmm(bias.flatten(1).unsqueeze(1), x, flat)
        return pieces.unflatten(-1, (p, u)).amax(-2)

    ours = lambda *t: kernels.maxout(*t, impl=impl)  # noqa: E731
    size = inputs[0].element_size()
    elements = s * (n * d + p * u * d + p * u + n * u)
    flops = 6.0 * s * n * d * u * p
    return Case(
        "maxout", s * n * u * p * d, inputs, ours, {"eager": eager}, flops, 3.0 * elements * size
    )


def _dropout(randn: Call, s: int, n: int, impl: Any) -> Case:
    x = randn(s, 2 * n, MNIST_PIXELS)
    seed = torch.arange(s, device=x.device)
    offset = torch.zeros((), dtype=torch.int64, device=x.device)
    ours = lambda t: kernels.dropout(t, 0.8, seed, offset, impl=impl)  # noqa: E731
    eager = lambda t: functional.dropout(t, 0.2)  # noqa: E731
    return Case(
        "dropout", x.numel(), (x,), ours, {"eager": eager}, 0.0, 4.0 * x.numel() * x.element_size()
    )


def _maxout_pool2d(randn: Call, s: int, n: int, impl: Any) -> Case:
    x = randn(n, s * 64, 33, 33)
    ours = lambda t: kernels.maxout_pool2d(t, 2, 4, 2, impl=impl)  # noqa: E731

    def eager(t: Tensor) -> Tensor:
        return functional.max_pool2d(t.unflatten(1, (-1, 2)).amax(2), 4, 2, ceil_mode=True)

    moved = 2.0 * x.element_size() * x.numel() * (1 + 16 * 16 / (2 * 33 * 33))
    return Case("maxout_pool2d", x.numel(), (x,), ours, {"eager": eager}, 0.0, moved)


def _adversarial_loss(randn: Call, s: int, n: int, impl: Any) -> Case:
    inputs = randn(s, n), randn(s, n)

    def ours(real: Tensor, fake: Tensor) -> Tensor:
        losses = kernels.adversarial_loss(real, fake, "non_saturating", impl=impl)
        return torch.stack(losses)

    def eager(real: Tensor, fake: Tensor) -> Tensor:
        def entropy(logits: Tensor, target: Tensor) -> Tensor:
            losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            return losses.mean(-1)

        ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
        d = 0.5 * (entropy(real, ones) + entropy(fake, zeros))
        return torch.stack((d, entropy(fake, ones)))

    moved = 4.0 * inputs[0].numel() * inputs[0].element_size()
    return Case("adversarial_loss", 2 * s * n, inputs, ours, {"eager": eager}, 0.0, moved)


def _parzen(randn: Call, m: int, impl: Any) -> Case:
    d = MNIST_PIXELS
    points, centers = randn(m, d).sigmoid(), randn(CENTERS, d).sigmoid()
    sigmas = torch.logspace(-1, 0, SIGMAS, device=points.device, dtype=points.dtype)
    ours = lambda *t: kernels.parzen_log_likelihood(*t, impl=impl)  # noqa: E731
    rivals = {"eager": parzen_per_bandwidth, "eager_shared_distances": parzen_shared_distances}
    flops, moved = 2.0 * m * CENTERS * d, (m + CENTERS) * d + m * SIGMAS
    inputs = points, centers, sigmas
    name, moved = "parzen_log_likelihood", moved * points.element_size()
    return Case(name, m * CENTERS * d, inputs, ours, rivals, flops, moved, backward=False)


def parzen_per_bandwidth(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Returns the log-likelihoods as most code has them: a distance matrix per bandwidth."""
    return torch.stack(
        [_window(torch.cdist(points, centers).square(), centers, sigma) for sigma in sigmas]
    )


def parzen_shared_distances(points: Tensor, centers: Tensor, sigmas: Tensor) -> Tensor:
    """Returns the log-likelihoods from one distance matrix, held whole."""
    squared = torch.cdist(points, centers).square()
    return torch.stack([_window(squared, centers, sigma) for sigma in sigmas])


def _window(squared: Tensor, centers: Tensor, sigma: Tensor) -> Tensor:
    number, size = centers.shape
    constant = math.log(number) + size * (sigma.log() + 0.5 * math.log(2 * math.pi))
    return torch.logsumexp(-squared / (2 * sigma**2), 1) - constant


def _sgd(randn: Call, s: int, scale: int, impl: Any) -> Case:
    units = MAXOUT_UNITS * scale
    shapes = (s, MAXOUT_PIECES, units, MNIST_PIXELS), (s, MAXOUT_PIECES, units), (s, 1, units)
    parameters, velocities, gradients = ([randn(*shape) for shape in shapes] for _ in "pvg")
    bounds = [1.9365, None, 1.9365]

    def ours(*_: Any) -> None:
        step = parameters, velocities, gradients
        kernels.sgd_momentum_max_norm_(*step, 1e-3, 0.5, bounds, impl=impl)

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
    moved = 5.0 * size * parameters[0].element_size()
    name = "sgd_momentum_max_norm_"
    return Case(name, size, (), ours, {"foreach": foreach}, 0.0, moved, backward=False)


def runnable(case: Case, call: Call) -> Callable[[], Any]:
    """Returns a call without arguments: the forward, and the backward where the case has one."""
    if not case.backward:
        return torch.no_grad()(lambda: call(*case.inputs))
    inputs = [tensor.detach().requires_grad_() for tensor in case.inputs]
    weights = torch.randn_like(call(*inputs))

    def both() -> Any:
        return torch.autograd.grad(call(*inputs), inputs, weights)

    return both
