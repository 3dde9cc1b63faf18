"""The public sgd_momentum_max_norm_."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.checks import check_floating, check_shape
from ganbench_kernels.dispatch import Impl, choose


def sgd_momentum_max_norm_(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: float | Tensor,
    momentum: float | Tensor,
    max_norm: Sequence[float | None] | None,
    impl: Impl = "auto",
) -> None:
    """Does one step of SGD with momentum in place, then bounds norms of incoming weights.

    v <- momentum v - lr g; p <- p + v; then each vector along a bounded parameter's last dimension
    (the incoming weights of a unit, or of a maxout piece) is scaled down to its bound if it is
    longer. A bias [P, U] has two dimensions as a weight has, so that the caller says which
    parameters are bounded.

    Args:
        parameters: contiguous; updated in place.
        velocities: contiguous, shapes as `parameters`; updated in place.
        gradients: shapes as `parameters`.
        lr: learning rate, a number or a 0-d tensor.
        momentum: in [0, 1), a number or a 0-d tensor.
        max_norm: for each parameter its bound (L2), or None where there is none; None bounds none.
        impl: "reference" is plain torch, "triton" one kernel a parameter; "auto" the faster one.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.

    Source: the released code of Goodfellow et al. (2014): pylearn2's momentum and max_col_norm.
    """
    bounds = [None] * len(parameters) if max_norm is None else list(max_norm)
    if not len(parameters) == len(velocities) == len(gradients) == len(bounds):
        lengths = [len(parameters), len(velocities), len(gradients), len(bounds)]
        raise ValueError(
            "sgd_momentum_max_norm_: parameters, velocities, gradients, max_norm: should be "
            f"equally long, got {lengths}; give one entry per parameter"
        )
    # Nothing has a device or dtype to choose by.
    if not parameters:
        return
    for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
        _check(parameter, velocity, gradient)
    size = sum(parameter.numel() for parameter in parameters)
    chosen = choose("sgd_momentum_max_norm_", impl, parameters[0], size)
    # torch.compile sees one opaque op that changes its arguments; eager code skips its overhead.
    if torch.compiler.is_compiling():
        device = parameters[0].device
        rates = [_on_device(rate, device) for rate in (lr, momentum)]
        floats = [float("inf") if bound is None else bound for bound in bounds]
        _op(list(parameters), list(velocities), list(gradients), *rates, floats, chosen)
    else:
        _step(parameters, velocities, gradients, lr, momentum, bounds, chosen)


def _on_device(rate: float | Tensor, device: torch.device) -> Tensor:
    """A rate as a tensor that a kernel can read; made there, as copies would wait for a GPU."""
    if isinstance(rate, Tensor):
        return rate.to(device, torch.float64)
    return torch.full((), rate, dtype=torch.float64, device=device)


def _check(parameter: Tensor, velocity: Tensor, gradient: Tensor) -> None:
    op = "sgd_momentum_max_norm_"
    check_floating(op, parameter=parameter, velocity=velocity, gradient=gradient)
    check_shape(op, "velocity", velocity, parameter.shape)
    check_shape(op, "gradient", gradient, parameter.shape)
    for name, tensor in (("parameter", parameter), ("velocity", velocity)):
        if not tensor.is_contiguous():
            raise ValueError(
                f"{op}: {name}: should be contiguous, got strides {tensor.stride()}; "
                "call .contiguous() when making it"
            )


def _step(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: float | Tensor,
    momentum: float | Tensor,
    bounds: Sequence[float | None],
    impl: str,
) -> None:
    # The reference works on whole tensors, Triton launches one kernel for each parameter.
    lists = parameters, velocities, gradients
    if impl == "reference":
        reference.sgd_momentum_max_norm_(*lists, lr, momentum, bounds)
        return
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.sgd import launch

    launch.step(*lists, lr, momentum, bounds)


@torch.library.custom_op(
    "ganbench::sgd_momentum_max_norm_", mutates_args=("parameters", "velocities")
)
def _op(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    lr: Tensor,
    momentum: Tensor,
    max_norm: Sequence[float],
    impl: str,
) -> None:
    """The step for torch.compile; infinity is no bound, as schemas know no optional floats."""
    bounds = [None if bound == float("inf") else bound for bound in max_norm]
    _step(parameters, velocities, gradients, lr, momentum, bounds, impl)


@_op.register_fake
def _fake(*_: object) -> None:
    return None
