"""Launches the kernels of a dense update; every tensor is contiguous, float32 and on one device."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

from typing import Any

import torch
import triton
from torch import Tensor

from ganbench_kernels.dense_update import kernels
from ganbench_kernels.dense_update.layer import Batched, Layer
from ganbench_kernels.dispatch import kernel_config
from ganbench_kernels.inverted_dropout.launch import mask_arguments
from ganbench_kernels.launching import launch
from ganbench_kernels.reference import Dropout

MAX_PIECES = 5
# How a precision rounds the factors of a product.
DOT = {"float32": "ieee", "tf32": "tf32", "bfloat16": "bfloat16"}


def gather(images: Tensor, order: Tensor, batch: Tensor, out: Tensor, mask: Dropout) -> None:
    """Writes minibatch `batch` of `order` [S, batches, N], dropped out, into out [S, 2 N, D]."""
    # Reals become the first N of D's 2 N rows; the generator's last layer writes the fakes below.
    seeds, batches, count = order.shape
    size = images.shape[-1]
    config = kernel_config("gather_kernel", "float32", images.device)
    drop = mask_arguments(mask, images)
    launch(kernels.gather_kernel, (triton.cdiv(count * size, config["BLOCK"]), seeds),
        images, order, batch, out, drop.seed, drop.offset, batches, count, size,
        drop.threshold, drop.scale,
        reach=count * size + config["BLOCK"], writes=(out,),
        DROPOUT=drop.present, ONE_BIT=drop.one_bit, **config,
    )  # fmt: skip


def linear_forward(
    layer: Layer,
    x: Tensor | Batched,
    activation: str,
    out: Tensor,
    precision: str,
    copy: tuple[Tensor, Dropout] | None = None,
) -> None:
    """out <- activation(x weight^T + bias), and a dropped-out copy as rows N to 2 N of another.

    Args:
        layer: without pieces.
        x: [S, N, D], or an epoch's.
        activation: "linear", "relu" or "sigmoid".
        out: [S, N, U].
        precision: of the product.
        copy: [S, 2 N, U] and its dropout.
    """
    seeds, _, units, size = layer.sizes
    count = out.shape[1]
    config = kernel_config("linear_fwd_kernel", precision, out.device)
    # The last layer of G writes its images twice: for its own backward pass, and dropped out for D.
    second, mask = (out, None) if copy is None else copy
    drop = mask_arguments(mask, out)
    rows, batch, per_seed = _rows(x)
    grid = triton.cdiv(count, config["BLOCK_N"]), triton.cdiv(units, config["BLOCK_U"]), seeds
    launch(kernels.linear_fwd_kernel, grid,
        rows, batch, layer.rounded_weight, layer.bias, out, second, drop.seed, drop.offset,
        per_seed, count, units, size, drop.threshold, drop.scale,
        reach=_reach(config, count, units, size), writes=(out, second), ACTIVATION=activation,
        BATCHED=isinstance(x, Batched), COPY=copy is not None, DROPOUT=drop.present,
        ONE_BIT=drop.one_bit, GROUP=_group(units), DOT=DOT[precision], **config,
    )  # fmt: skip


def maxout_forward(
    layer: Layer, x: Tensor, out: Tensor, which: Tensor, precision: str, mask: Dropout
) -> None:
    """out [S, N, U] <- the largest piece with the next layer's dropout; `which` as maxout's."""
    seeds, pieces, units, size = layer.sizes
    count = out.shape[1]
    config = kernel_config("maxout_layer_fwd_kernel", precision, out.device)
    drop = mask_arguments(mask, out)
    grid = triton.cdiv(count, config["BLOCK_N"]), triton.cdiv(units, config["BLOCK_U"]), seeds
    launch(kernels.maxout_layer_fwd_kernel, grid,
        x, layer.rounded_weight, layer.bias, out, which, drop.seed, drop.offset, count, units, size,
        drop.threshold, drop.scale,
        reach=_reach(config, count, units, size, pieces), writes=(out, which),
        P=pieces, DROPOUT=drop.present, ONE_BIT=drop.one_bit,
        GROUP=_group(units), DOT=DOT[precision], **config,
    )  # fmt: skip


def head(
    layer: Layer,
    x: Tensor,
    logits: Tensor,
    row_weight: Tensor,
    slope: Tensor,
    cotangent: Tensor,
    sums: Tensor,
    rates: tuple[Tensor, Tensor],
    max_norm: float | None,
    objective: str,
) -> None:
    """Logits, losses and slopes of D's last layer [S, 1, U], and its own update."""
    seeds, rows, size = x.shape
    config = kernel_config("head_kernel", "float32", x.device)
    # One program a seed, because the layer has one unit; BLOCK_N and BLOCK_U therefore hold all
    # rows and all inputs.
    launch(kernels.head_kernel, (seeds,),
        x, layer.weight, layer.bias, layer.weight_velocity, layer.bias_velocity,
        layer.rounded_weight, layer.rounded_bias, logits, row_weight, slope, cotangent, sums,
        *rates, rows // 2, size, float("inf") if max_norm is None else max_norm,
        reach=2 * rows * size, writes=(*layer, logits, row_weight, slope, cotangent, sums),
        OBJECTIVE=objective, ROUNDED=layer.rounded, BLOCK_N=triton.next_power_of_2(rows // 2),
        BLOCK_U=triton.next_power_of_2(size), **config,
    )  # fmt: skip


def input_gradient(
    layer: Layer,
    grad: Tensor,
    out: Tensor,
    precision: str,
    which: Tensor | None = None,
    keep: float = 1.0,
    first_row: int = 0,
    slope: Tensor | None = None,
    activated: tuple[Tensor, str] | None = None,
    mask: Dropout | None = None,
) -> None:
    """out [S, N, D] <- gradient of the layer's input, or of what the layer below made it from.

    Args:
        layer: whose weights are those of the forward pass.
        grad: of the layer's output [S, rows, U], before its activation where it has one.
        out: written; N of the rows.
        precision: of the product.
        which: of a maxout layer.
        keep: of the dropout that `which` has.
        first_row: where the N rows start.
        slope: [S, N], multiplies each row.
        activated: output of the layer below and its activation, whose derivative is multiplied in.
        mask: of the layer's input, whose factors are multiplied in.
    """
    seeds, pieces, units, size = layer.sizes
    count = out.shape[1]
    config = kernel_config("input_gradient_kernel", precision, out.device)
    drop = mask_arguments(mask, out)
    # The derivative of the layer below is multiplied in here, which saves a pass over its output.
    below, activation = (out, "linear") if activated is None else activated
    grid = triton.cdiv(count, config["BLOCK_N"]), triton.cdiv(size, config["BLOCK_D"]), seeds
    launch(kernels.input_gradient_kernel, grid,
        grad, grad if which is None else which, layer.rounded_weight,
        out if slope is None else slope, below, out, drop.seed, drop.offset, grad.shape[1],
        first_row, count, units, size, 1 / keep,
        drop.threshold, drop.scale,
        reach=_reach(config, count, units, size, pieces), writes=(out,),
        P=pieces, MAXOUT=which is not None, ACTIVATION=activation,
        SLOPE=slope is not None, DROPOUT=drop.present, ONE_BIT=drop.one_bit, GROUP=_group(size),
        DOT=DOT[precision], **config,
    )  # fmt: skip


def weight_update(
    layer: Layer,
    grad: Tensor,
    x: Tensor | Batched,
    rates: tuple[Tensor, Tensor],
    precision: str,
    which: Tensor | None = None,
    keep: float = 1.0,
    row_weight: Tensor | None = None,
) -> None:
    """Moves weights and biases by momentum; arguments as for `input_gradient`.

    Args:
        layer: updated in place.
        grad: [S, N, U].
        x: the layer's input [S, N, D], or an epoch's.
        rates: learning rate and momentum, float32, 0-d.
        precision: of the product.
        which: of a maxout layer.
        keep: of the dropout that `which` has.
        row_weight: [S, N], multiplies each row's part.
    """
    seeds, pieces, units, size = layer.sizes
    # Gradient, momentum, step and partial norms in one kernel: no gradient is ever in memory.
    config = weight_tiles(pieces, precision, grad.device)
    rows, batch, per_seed = _rows(x)
    grid = triton.cdiv(units, config["BLOCK_U"]), triton.cdiv(size, config["BLOCK_D"])
    launch(kernels.weight_update_kernel, (*grid, seeds),
        grad, grad if which is None else which, grad if row_weight is None else row_weight,
        rows, batch, layer.weight, layer.bias, layer.weight_velocity, layer.bias_velocity,
        layer.rounded_weight, layer.rounded_bias,
        grad if layer.squares is None else layer.squares, *rates, per_seed, grad.shape[1], units,
        size, 1 / keep,
        reach=_reach(config, grad.shape[1], units, size), writes=layer,
        P=pieces, MAXOUT=which is not None, WEIGHTED=row_weight is not None,
        BATCHED=isinstance(x, Batched), ROUNDED=layer.rounded,
        SQUARES=layer.squares is not None, DOT=DOT[precision], **config,
    )  # fmt: skip


def weight_tiles(pieces: int, precision: str, device: torch.device) -> dict[str, Any]:
    """Returns the settings of `weight_update`: pieces share a program's registers."""
    # A program moves the same tile of every piece, so that with more pieces only smaller tiles
    # fit.
    kind = precision if pieces == 1 else f"{precision}_pieces"
    return kernel_config("weight_update_kernel", kind, device)


def square_blocks(weight: Tensor, precision: str) -> int:
    """Returns into how many partial sums `weight_update` cuts a unit's norm.

    Args:
        weight: [S, P, U, D] or [S, U, D].
        precision: of the product.
    """
    pieces = weight.shape[1] if weight.dim() == 4 else 1
    block = weight_tiles(pieces, precision, weight.device)["BLOCK_D"]
    return int(triton.cdiv(weight.shape[-1], block))


def bound(
    weights: Tensor,
    rounded: Tensor,
    squares: Tensor,
    table: tuple[Tensor, Tensor, Tensor, Tensor],
    max_norm: float,
    blocks: int,
) -> None:
    """Scales down units whose incoming weights are longer than `max_norm`.

    Args:
        weights: one player's, flat.
        rounded: what products read, flat: a bfloat16 copy or `weights`.
        squares: one player's partial sums, flat.
        table: start and length of each unit's weights, start and number of its partial sums.
        max_norm: the bound.
        blocks: the largest number of partial sums.
    """
    config = kernel_config("bound_kernel", "float32", weights.device)
    # One program for each unit of all layers; `table` tells where its weights and partial sums lie.
    launch(kernels.bound_kernel, (len(table[0]),),
        weights, rounded, squares, *table, max_norm,
        writes=(weights, rounded), ROUNDED=rounded.dtype == torch.bfloat16,
        BLOCKS=triton.next_power_of_2(blocks), **config,
    )  # fmt: skip


def advance(
    batch: Tensor,
    offsets: Tensor,
    rate: Tensor,
    rounded_rate: Tensor,
    decay: Tensor,
    floor: Tensor,
    masks: int,
) -> None:
    """Moves on minibatch, mask offsets [layers] and learning rate (float64) after an update."""
    # On the device, so that replaying a graph needs nothing from the CPU.
    layers = len(offsets)
    launch(kernels.advance_kernel, (1,),
        batch, offsets, rate, rounded_rate, decay, floor, masks,
        writes=(batch, offsets, rate, rounded_rate),
        LAYERS=layers, BLOCK=triton.next_power_of_2(layers),
    )  # fmt: skip


def _rows(x: Tensor | Batched) -> tuple[Tensor, Any, int]:
    """Rows, which minibatch of them, and how many a seed has."""
    if isinstance(x, Batched):
        return x.rows, x.batch, x.rows.shape[1] * x.rows.shape[2]
    return x, x, x.shape[1]


def _reach(config: dict[str, Any], rows: int, units: int, size: int, pieces: int = 0) -> int:
    """The largest offset from a tile's first number, or from a seed's first weight."""
    # Tiles reach beyond the last row and unit; masks keep them from reading there, but the offsets
    # are computed.
    rows = max(rows, config["BLOCK_N"], config["BLOCK_U"])
    return max(rows * max(units, size), pieces * units * size)


def _group(units: int) -> int:
    """So many consecutive outputs share their random bits."""
    # Only where a group never crosses the end of a row.
    return 8 if units % 8 == 0 else 1
