"""The public dropout; its backward multiplies by the same mask."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels import reference
from ganbench_kernels.checks import check_dropout, check_floating, check_tensors
from ganbench_kernels.dispatch import Impl, choose
from ganbench_kernels.inverted_dropout import compiled
from ganbench_kernels.philox import LANES, dropout_mask, dropout_masks, keep_lanes
from ganbench_kernels.registration import FusedOp


def dropout(x: Tensor, keep: float, seed: Tensor, offset: Tensor, impl: Impl = "auto") -> Tensor:
    """Returns x with each element kept with probability `keep` and divided by it, or 0.

    The mask depends on seed, offset and the element's index inside its seed's slice only
    (see `philox.py`), so Triton's backward draws it again instead of storing it.

    Args:
        x: [S, ...] where `seed` is [S]; any shape where it is 0-d.
        keep: in (0, 1], rounded to a multiple of 1/65,536.
        seed: int64 keys of independent mask sequences.
        offset: int64, 0-d: which mask of each sequence.
        impl: "reference" is plain torch, "triton" one kernel; "auto" the faster one.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.
    """
    check_floating("dropout", x=x)
    check_tensors("dropout", seed=seed, offset=offset)
    check_dropout("dropout", keep, seed, offset, x.shape[:1] if seed.dim() else ())
    chosen = choose("dropout", impl, x, x.numel())
    # Where all is kept no mask is drawn and none is used up: the caller counts offsets, not this
    # op.
    return x if keep_lanes(keep) == LANES else _fused(x, keep, seed, offset, chosen)[0]


def dropout_factors(
    shapes: Sequence[torch.Size],
    keeps: Sequence[float],
    seed: Tensor,
    offset: Tensor,
    like: Tensor,
    impl: Impl = "auto",
) -> list[Tensor | None]:
    """Returns what the inputs of a network's layers are multiplied by: 0, or 1 / keep.

    Layer i's are `dropout` of ones of its shape at `offset` + i; None where all is kept.

    Args:
        shapes: of each layer's input, [S, ...].
        keeps: keep probability of each layer's input.
        seed: int64 [S].
        offset: int64, 0-d: of the first layer's mask.
        like: gives dtype and device.
        impl: as for `dropout`.

    Raises:
        ValueError: an argument does not fit, or `impl` cannot run here.
    """
    for shape, keep in zip(shapes, keeps, strict=True):
        check_dropout("dropout", keep, seed, offset, shape[:1])
    # Layer i has offset + i whether or not the layers before it drop anything.
    drawn = [i for i, keep in enumerate(keeps) if keep_lanes(keep) < LANES]
    factors: list[Tensor | None] = [None] * len(keeps)
    if choose("dropout", impl, like, sum(shapes[i].numel() for i in drawn)) == "triton":
        for i in drawn:
            ones = like.new_ones(shapes[i])
            factors[i] = _fused.plain(ones, keeps[i], seed, offset + i, "triton")[0]
    # On a CPU the masks of all layers are one run of the compiled Philox.
    elif drawn and compiled.worth_compiling(shapes, like.device):
        drawn_factors = compiled.factors(shapes, keeps, seed, offset, like.dtype)
        factors = [drawn_factors[i] if i in drawn else None for i in range(len(keeps))]
    elif drawn:
        masks = dropout_masks(shapes, keeps, seed, offset)
        for i in drawn:
            factors[i] = masks[i].view(torch.uint8).to(like.dtype).mul_(1 / keeps[i])
    return factors


def _forward(
    x: Tensor, keep: float, seed: Tensor, offset: Tensor, impl: str
) -> tuple[Tensor, Tensor]:
    """The output, and the reference's mask: on a CPU it is cheaper to keep than to draw again."""
    if impl == "reference":
        kept = dropout_mask(x.shape, keep, seed, offset).view(torch.uint8)
        return reference.scale_kept(x, kept, keep), kept
    return _launch(x, keep, seed, offset), seed.new_empty(0, dtype=torch.uint8)


def _backward(
    grad: Tensor, kept: Tensor, keep: float, seed: Tensor, offset: Tensor, impl: str
) -> Tensor:
    if impl == "reference":
        return reference.scale_kept(grad, kept, keep)
    return _launch(grad, keep, seed, offset)


def _launch(x: Tensor, keep: float, seed: Tensor, offset: Tensor) -> Tensor:
    # Triton is optional, so that its modules are imported only where they run.
    from ganbench_kernels.inverted_dropout import launch

    return launch.dropout(x, keep, seed, offset)


def _forward_fake(
    x: Tensor, keep: float, seed: Tensor, offset: Tensor, impl: str
) -> tuple[Tensor, Tensor]:
    del keep, seed, offset
    # Triton keeps no mask: it draws it again in the backward pass.
    shape = x.shape if impl == "reference" else 0
    return torch.empty_like(x), x.new_empty(shape, dtype=torch.uint8)


def _backward_fake(grad: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(grad)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, ctx.keep, seed, offset, ctx.impl = inputs
    ctx.save_for_backward(output[1], seed, offset)


def _backward_arguments(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    kept, seed, offset = ctx.saved_tensors
    return grad, kept, ctx.keep, seed, offset, ctx.impl


_fused = FusedOp(
    "dropout",
    forward=_forward,
    fake=_forward_fake,
    backward=_backward,
    backward_fake=_backward_fake,
    save=_save,
    arguments=_backward_arguments,
)
