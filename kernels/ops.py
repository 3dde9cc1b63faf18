"""The public ops."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.reference import Dropout, Objective

Impl = Literal["auto", "reference", "triton"]


class _Maxout(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None
    ) -> Tensor:
        out, which = reference.maxout_forward(x, weight, bias, dropout)
        ctx.save_for_backward(x, weight, which)
        ctx.keep = 1.0 if dropout is None else dropout.keep
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, which = ctx.saved_tensors
        return *reference.maxout_backward(grad, x, weight, which, keep=ctx.keep), None


def maxout(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None = None, impl: Impl = "auto"
) -> Tensor:
    return _Maxout.apply(x, weight, bias, dropout)


def maxout_forward(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None = None, impl: Impl = "auto"
) -> tuple[Tensor, Tensor]:
    return reference.maxout_forward(x, weight, bias, dropout)


def maxout_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    which: Tensor,
    row_weight: Tensor | None = None,
    keep: float = 1.0,
    impl: Impl = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    return reference.maxout_backward(grad, x, weight, which, row_weight, keep)


def dropout(x: Tensor, keep: float, seed: Tensor, offset: Tensor, impl: Impl = "auto") -> Tensor:
    return reference.dropout(x, keep, seed, offset)


def maxout_pool2d(
    x: Tensor, pieces: int, kernel_size: int, stride: int, impl: Impl = "auto"
) -> Tensor:
    return reference.maxout_pool2d(x, pieces, kernel_size, stride)


def sgd_momentum_max_norm_(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: float | Tensor,
    momentum: float | Tensor,
    max_norm: Sequence[float | None] | None,
    impl: Impl = "auto",
) -> None:
    reference.sgd_momentum_max_norm_(parameters, velocities, gradients, lr, momentum, max_norm)


def adversarial_loss(
    real_logits: Tensor, fake_logits: Tensor, objective: Objective, impl: Impl = "auto"
) -> tuple[Tensor, Tensor]:
    return reference.adversarial_loss(real_logits, fake_logits, objective)


def parzen_log_likelihood(
    points: Tensor, centers: Tensor, sigmas: Tensor, impl: Impl = "auto"
) -> Tensor:
    return reference.parzen_log_likelihood(points, centers, sigmas)
