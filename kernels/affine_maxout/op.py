"""The public maxout layer: differentiable, or as a forward and a backward to call by hand.

The networks in `ganbench.models` call `maxout`. The fused training engine does not: it fuses
maxout with its own products (`ganbench.training.fused`).
"""

from typing import Any

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.checks import check_dropout, check_floating, check_shape
from ganbench_kernels.dispatch import Impl, choose
from ganbench_kernels.reference import Dropout
from ganbench_kernels.registration import FusedOp, autocast

MAX_PIECES = reference.DROPPED


def maxout(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None = None, impl: Impl = "auto"
) -> Tensor:
    """Returns the largest affine piece of each unit, [S, N, U].

    out[n, u] = max over p of x[n] . weight[p, u] + bias[p, u]; differentiable once in x, weight
    and bias; the first piece wins ties. Every tensor may lack the seed dimension S. Under
    autocast it runs in bfloat16, as torch's linear layers do.

    Args:
        x: [S, N, D].
        weight: [S, P, U, D].
        bias: [S, P, U].
        dropout: applied to the output.
        impl: "reference" is plain torch, "triton" one kernel for all seeds; "auto" the faster one.

    Raises:
        ValueError: shapes, dtypes or devices do not fit together, or `impl` cannot run here.
    """
    x, weight, bias = autocast("maxout", x, weight, bias)
    # `_fused` returns the winners too, which only its backward pass needs.
    return _fused(x, weight, bias, *_prepare(x, weight, bias, dropout, impl))[0]


def maxout_forward(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None = None, impl: Impl = "auto"
) -> tuple[Tensor, Tensor]:
    """Returns maxout's output and the winning pieces (uint8, 255 where dropped), [S, N, U].

    Arguments and errors as for `maxout`; not differentiable.
    """
    x, weight, bias = autocast("maxout", x, weight, bias)
    return _fused.plain(x, weight, bias, *_prepare(x, weight, bias, dropout, impl))


def maxout_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    which: Tensor,
    row_weight: Tensor | None = None,
    keep: float = 1.0,
    impl: Impl = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of x, weight and bias; not differentiable.

    Args:
        grad: of the output, [S, N, U].
        x: [S, N, D].
        weight: [S, P, U, D].
        which: [S, N, U], from `maxout_forward`.
        row_weight: [S, N]; multiplies each row's part in the gradients of weight and bias only.
        keep: of the forward's dropout, whose mask `which` holds.
        impl: as for `maxout`.

    Raises:
        ValueError: shapes, dtypes or devices do not fit together, or `impl` cannot run here.
    """
    grad, x, weight = autocast("maxout", grad, x, weight)
    _check_weight(x, weight)
    out_shape = (*x.shape[:-1], weight.shape[-2])
    check_shape("maxout_backward", "grad", grad, out_shape)
    check_shape("maxout_backward", "which", which, out_shape)
    # In its own call of autocast, which takes no None.
    if row_weight is not None:
        (row_weight,) = autocast("maxout", row_weight)
        check_shape("maxout_backward", "row_weight", row_weight, x.shape[:-1])
    chosen = choose("maxout", impl, x, x.shape[:-1].numel() * weight.shape[-3:].numel())
    # Both gradients are wanted here; autograd asks for those that something needs.
    return _fused.plain_backward(grad, x, weight, which, row_weight, keep, True, True, chosen)


def _prepare(
    x: Tensor, weight: Tensor, bias: Tensor, dropout: Dropout | None, impl: Impl
) -> tuple[float, Tensor | None, Tensor | None, str]:
    """Checks the inputs; the remaining arguments of `_forward`."""
    _check_weight(x, weight)
    check_floating("maxout", x=x, weight=weight, bias=bias)
    check_shape("maxout", "bias", bias, weight.shape[:-1])
    if dropout is not None:
        check_dropout("maxout", *dropout, x.shape[: x.dim() - 2])
    chosen = choose("maxout", impl, x, x.shape[:-1].numel() * weight.shape[-3:].numel())
    # A registered op takes tensors and numbers, not a NamedTuple.
    keep, seed, offset = dropout or (1.0, None, None)
    return keep, seed, offset, chosen


def _check_weight(x: Tensor, weight: Tensor) -> None:
    if x.dim() not in (2, 3) or weight.dim() != x.dim() + 1:
        raise ValueError(
            "maxout: x, weight: should be [S, N, D] and [S, P, U, D] (S may be absent), got "
            f"{list(x.shape)} and {list(weight.shape)}; reshape them"
        )
    check_shape("maxout", "weight", weight, (*x.shape[:-2], *weight.shape[-3:-1], x.shape[-1]))
    if not 1 <= weight.shape[-3] <= MAX_PIECES:
        raise ValueError(
            f"maxout: weight: should have 1 to {MAX_PIECES} pieces, got {weight.shape[-3]}; "
            "`which` holds a piece in one byte"
        )


def _forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    keep: float,
    seed: Tensor | None,
    offset: Tensor | None,
    impl: str,
) -> tuple[Tensor, Tensor]:
    dropout = None if seed is None or offset is None else Dropout(keep, seed, offset)
    if impl == "reference":
        return reference.maxout_forward(x, weight, bias, dropout)
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.affine_maxout import launch

    if impl == "triton":
        return launch.forward(x, weight, bias, dropout)
    # The third choice (`triton_epilogue`): the library's product, which is hard to beat where units
    # are many, and one kernel for maximum and dropout behind it.
    affine = reference.affine_pieces(x, weight, bias)
    return launch.epilogue_forward(affine, weight.shape[-3], dropout)


def _backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    which: Tensor,
    row_weight: Tensor | None,
    keep: float,
    needs_x: bool,
    needs_weight: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    needs = needs_x, needs_weight
    if impl == "reference":
        return reference.maxout_backward(grad, x, weight, which, row_weight, keep, *needs)
    from ganbench_kernels.affine_maxout import launch

    if impl == "triton":
        return launch.backward(grad, x, weight, which, row_weight, keep, *needs)
    # Backwards the same: one kernel routes the gradient to the winners, the library multiplies.
    routed = launch.epilogue_backward(grad, which, weight.shape[-3], keep)
    return reference.affine_backward(routed, x, weight, row_weight, *needs)


def _forward_fake(x: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    out = x.new_empty(*x.shape[:-1], weight.shape[-2])
    return out, torch.empty_like(out, dtype=torch.uint8)


def _backward_fake(
    grad: Tensor, x: Tensor, weight: Tensor, which: Tensor, row_weight: Tensor | None,
    keep: float, needs_x: bool, needs_weight: bool, impl: str,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    del grad, which, row_weight, keep, impl
    empty = x.new_empty
    return (
        empty(x.shape if needs_x else 0),
        empty(weight.shape if needs_weight else 0),
        empty(weight.shape[:-1] if needs_weight else 0),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    # The winners carry the dropout mask (255 is dropped), so that seed and offset are not kept.
    x, weight, _, ctx.keep, _, _, ctx.impl = inputs
    ctx.save_for_backward(x, weight, output[1])


def _backward_arguments(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    x, weight, which = ctx.saved_tensors
    needs_x, *needs_weight = ctx.needs_input_grad[:3]
    return grad, x, weight, which, None, ctx.keep, needs_x, any(needs_weight), ctx.impl


_fused = FusedOp(
    "maxout",
    forward=_forward,
    fake=_forward_fake,
    backward=_backward,
    backward_fake=_backward_fake,
    save=_save,
    arguments=_backward_arguments,
)
