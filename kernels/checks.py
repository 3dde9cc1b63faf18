"""Checks of what callers pass; each error says where, what is wrong, what was got, what to do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench_kernels.philox import keep_lanes

DTYPES = (torch.float32, torch.float64, torch.bfloat16)
MOST_SHOWN = 60  # characters of a value in a message


def check_tensors(op: str, **values: object) -> None:
    """Checks that arguments are tensors at all.

    Raises:
        ValueError: names the first that is none.
    """
    for name, value in values.items():
        if not isinstance(value, Tensor):
            shown = repr(value)
            shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
            raise ValueError(
                f"{op}: {name}: should be a tensor, got {shown}; give torch.tensor(...)"
            )


def check_floating(op: str, **tensors: Tensor) -> None:
    """Checks that tensors have one floating dtype that the ops take, and one device.

    Raises:
        ValueError: names the first tensor that does not fit.
    """
    check_tensors(op, **tensors)
    (first, lead), *others = tensors.items()
    if lead.dtype not in DTYPES:
        raise ValueError(
            f"{op}: {first}: should be float32, float64 or bfloat16, got {lead.dtype}; convert it"
        )
    for name, tensor in others:
        if tensor.dtype != lead.dtype or tensor.device != lead.device:
            raise ValueError(
                f"{op}: {name}: should be {lead.dtype} on {lead.device} as {first} is, got "
                f"{tensor.dtype} on {tensor.device}; convert it"
            )


def check_shape(op: str, name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """Checks a tensor's shape.

    Raises:
        ValueError: it differs from `shape`.
    """
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(
            f"{op}: {name}: should have shape {list(shape)}, got {list(tensor.shape)}; reshape it"
        )


def check_dropout(
    op: str, keep: float, seed: Tensor, offset: Tensor, seeds: Sequence[int] | None
) -> None:
    """Checks what a mask is drawn from.

    Args:
        op: the public op's name.
        keep: keep probability.
        seed: int64 keys.
        offset: int64, 0-d.
        seeds: the shape that `seed` should have; None if [S] and 0-d will both do.

    Raises:
        ValueError: names the argument that does not fit.
    """
    check_tensors(op, seed=seed, offset=offset)
    keep_lanes(keep)
    for name, tensor in (("seed", seed), ("offset", offset)):
        if tensor.dtype != torch.int64:
            raise ValueError(f"{op}: {name}: should be int64, got {tensor.dtype}; convert it")
    check_shape(op, "offset", offset, ())
    if seeds is not None:
        check_shape(op, "seed", seed, seeds)
