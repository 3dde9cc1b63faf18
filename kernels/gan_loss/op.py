"""The public adversarial_loss and its gradient."""

from typing import Any

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.checks import check_floating, check_shape
from ganbench_kernels.dispatch import Impl, choose
from ganbench_kernels.objectives import OBJECTIVES
from ganbench_kernels.registration import FusedOp, autocast


def adversarial_loss(
    real_logits: Tensor, fake_logits: Tensor, objective: str, impl: Impl = "auto"
) -> tuple[Tensor, Tensor]:
    """Returns the discriminator's and the generator's loss [S], in nats; lower is better for each.

    Means over N, on logits, finite for every finite logit; differentiable once. Without examples
    (N = 0) both are NaN, as a mean of nothing is.

    Args:
        real_logits: [S, N] or [N], of real examples.
        fake_logits: as `real_logits`, of generated examples.
        objective: a key of `ganbench_kernels.objectives.OBJECTIVES`, which has the formulas.
        impl: "reference" is plain torch, "triton" one kernel; "auto" the faster one.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.
    """
    real_logits, fake_logits = _widened(real_logits, fake_logits)
    chosen = _choose(real_logits, fake_logits, objective, impl)
    # The third output is the gradients, which the backward pass only scales.
    return _fused(real_logits, fake_logits, objective, chosen)[:2]


def adversarial_loss_gradients(
    real_logits: Tensor, fake_logits: Tensor, objective: str, impl: Impl = "auto"
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns both losses [S] and their gradients [3, S, N].

    The gradients are the discriminator's by the real and by the fake logits, and the generator's by
    the fake ones. Arguments and errors as for `adversarial_loss`; not differentiable.
    """
    real_logits, fake_logits = _widened(real_logits, fake_logits)
    chosen = _choose(real_logits, fake_logits, objective, impl)
    return _fused.plain(real_logits, fake_logits, objective, chosen)


def _widened(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, ...]:
    """Under autocast float32, as torch's losses are."""
    return autocast("adversarial_loss", real_logits, fake_logits, dtype=torch.float32)


def _choose(real_logits: Tensor, fake_logits: Tensor, objective: str, impl: Impl) -> str:
    """Checks the inputs and returns the implementation to take."""
    check_floating("adversarial_loss", real_logits=real_logits, fake_logits=fake_logits)
    if real_logits.dim() not in (1, 2):
        raise ValueError(
            "adversarial_loss: real_logits: should be [S, N] or [N], got "
            f"{list(real_logits.shape)}; squeeze or reshape them"
        )
    check_shape("adversarial_loss", "fake_logits", fake_logits, real_logits.shape)
    if objective not in OBJECTIVES:
        raise ValueError(
            f"adversarial_loss: objective: unknown, got {objective!r}; "
            f"choose one of {', '.join(OBJECTIVES)}"
        )
    return choose("adversarial_loss", impl, real_logits, 2 * real_logits.numel())


def _forward(
    real: Tensor, fake: Tensor, objective: str, impl: str
) -> tuple[Tensor, Tensor, Tensor]:
    if impl == "reference":
        return reference.adversarial_loss(real, fake, objective)
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.gan_loss import launch

    return launch.forward(real, fake, objective)


def _backward(grad_d: Tensor, grad_g: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    # Both losses depend on the fake logits; the real ones only D's loss.
    d_real, d_fake, g_fake = gradients
    grad_d, grad_g = grad_d.unsqueeze(-1), grad_g.unsqueeze(-1)
    return grad_d * d_real, grad_d * d_fake + grad_g * g_fake


def _forward_fake(
    real: Tensor, fake: Tensor, objective: str, impl: str
) -> tuple[Tensor, Tensor, Tensor]:
    del fake, objective, impl
    empty = real.new_empty
    return empty(real.shape[:-1]), empty(real.shape[:-1]), empty((3, *real.shape))


def _backward_fake(grad_d: Tensor, grad_g: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    del grad_d, grad_g
    return gradients.new_empty(gradients.shape[1:]), gradients.new_empty(gradients.shape[1:])


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    del inputs
    ctx.save_for_backward(output[2])


def _backward_arguments(
    ctx: Any, grad_d: Tensor | None, grad_g: Tensor | None, _: Tensor | None
) -> tuple[Any, ...]:
    (gradients,) = ctx.saved_tensors
    # A loss that nothing was made of gets None, not zero, as its gradient.
    zero = gradients.new_zeros(gradients.shape[1:-1])
    return zero if grad_d is None else grad_d, zero if grad_g is None else grad_g, gradients


_fused = FusedOp(
    "adversarial_loss",
    forward=_forward,
    fake=_forward_fake,
    backward=_backward,
    backward_fake=_backward_fake,
    save=_save,
    arguments=_backward_arguments,
)
