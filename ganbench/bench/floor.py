"""The least that an update can take: its matrix products alone, at their shapes, one after another.

One pass for both players: the generator's forward, weight and input gradients, and the
discriminator's on [real; fake], whose first layer passes back a gradient to the fakes only. The
logit's own layer, a product with a vector, is left out.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ganbench import config
from ganbench.training.fused.dense_passes import NO_FUSED_ACTIVATION, ONEDNN_LINEAR, takes_onednn


class Product(NamedTuple):
    """[rows, inner] @ [inner, columns]; `kind` says which operands lie transposed in memory."""

    kind: str
    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inner * self.columns


def products(experiment: config.Adversarial, pixels: int) -> list[Product] | None:
    """Returns the products of a one-pass update; none where the networks convolve.

    Args:
        experiment: gives layers and batch size.
        pixels: numbers in an image.
    """
    generator, discriminator = experiment.generator, experiment.discriminator
    if not all(
        isinstance(layer, config.Linear | config.Maxout)
        for layer in (*generator.layers, *discriminator.layers)
    ):
        return None
    batch = experiment.training.batch_size
    made = list(_network(_widths(generator.layers, generator.noise_dim), batch, 0))
    hidden = [size for size in _widths(discriminator.layers, pixels) if size[1] > 1]
    return [*made, *_network(hidden, 2 * batch, batch)]


def _widths(layers: tuple, inputs: int) -> Iterator[tuple[int, int]]:
    """Inputs and outputs of each layer's product; a maxout unit has one output per piece."""
    for layer in layers:
        yield inputs, layer.units * (layer.pieces if isinstance(layer, config.Maxout) else 1)
        inputs = layer.units


def _network(
    widths: Iterator[tuple[int, int]] | list[tuple[int, int]], rows: int, passed_back: int
) -> Iterator[Product]:
    """Products of a network on `rows` examples; its input gets a gradient for `passed_back`."""
    for number, (inputs, outputs) in enumerate(widths):
        yield Product("forward", rows, inputs, outputs)
        yield Product("weight", outputs, rows, inputs)
        back = rows if number else passed_back
        if back:
            yield Product("input", back, outputs, inputs)


def floor(
    wanted: list[Product], dtype: torch.dtype, seeds: tuple[int, ...] = (), device: str = "cpu"
) -> Callable[[], None]:
    """Returns a call that computes every product once, into memory of its own.

    Args:
        wanted: the products.
        dtype: of operands and results.
        seeds: how many of each are computed in one call of the library; none for a plain product.
        device: where they are computed.
    """
    calls = [_call(product, dtype, seeds, device) for product in wanted]

    def call() -> None:
        for one in calls:
            one()

    return call


def _call(
    product: Product, dtype: torch.dtype, seeds: tuple[int, ...], device: str
) -> Callable[[], object]:
    """A product by the library that training takes for it."""
    a, b, out = _operands(product, dtype, seeds, device)
    if product.kind != "weight" and not seeds and takes_onednn(a.unsqueeze(0)):
        return lambda: ONEDNN_LINEAR(a, b.T, None, *NO_FUSED_ACTIVATION)
    return lambda: torch.matmul(a, b, out=out)


def _operands(
    product: Product, dtype: torch.dtype, seeds: tuple[int, ...] = (), device: str = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights lie [out, in] and activations [rows, features], as in training."""
    _, rows, inner, columns = product

    def matrix(n: int, m: int, transposed: bool) -> Tensor:
        size = (m, n) if transposed else (n, m)
        values = torch.randn(*seeds, *size, device=device) / math.sqrt(inner)
        return values.to(dtype).mT if transposed else values.to(dtype)

    a = matrix(rows, inner, transposed=product.kind == "weight")
    b = matrix(inner, columns, transposed=product.kind == "forward")
    return a, b, torch.empty(*seeds, rows, columns, dtype=dtype, device=device)
