"""Layers against their formulas, element by element, and the sizes of the 2014 networks."""

from collections.abc import Callable

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

import ganbench_kernels
from ganbench.models import (
    ConvolutionalMaxout,
    Discriminator,
    Generator,
    Linear,
    Maxout,
    TransposedConvolution,
)

# Both sides in float64: only the order of sums differs.
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
SEED, OFFSET = torch.tensor(11), torch.tensor(5)


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """The module in float64 with random parameters."""
    stream = torch.Generator().manual_seed(0)
    module.double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=stream, dtype=torch.float64)
    return module


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_shapes_are_checked_in_tests() -> None:
    with pytest.raises(TypeCheckError):
        Linear(2, 3)(torch.zeros(2))


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("linear", lambda t: t),
        ("relu", lambda t: t if t > 0 else 0.0),
        ("sigmoid", lambda t: 1 / (1 + 2.718281828459045**-t)),
    ],
)
def test_linear(activation: str, formula: Callable[[float], float]) -> None:
    layer, x = filled(Linear(3, 2, activation)).requires_grad_(False), random(4, 3)
    for n, row in enumerate(layer(x).tolist()):
        for u, value in enumerate(row):
            affine = sum(float(x[n, d] * layer.weight[u, d]) for d in range(3))
            assert value == pytest.approx(formula(affine + float(layer.bias[u])), rel=1e-12)


def test_maxout_is_the_largest_of_its_pieces() -> None:
    layer, x = filled(Maxout(4, 3, 5)), random(6, 4)
    expected = torch.stack([x @ layer.weight[p].T + layer.bias[p] for p in range(5)]).amax(0)
    torch.testing.assert_close(layer(x), expected, **TOLERANCE)


def slow_convolutional_maxout(layer: ConvolutionalMaxout, image: Tensor) -> Tensor:
    """[C, H, W] to [C', H', W'], with loops: convolve, best piece, best place in each window."""
    kernel, padding, pieces = layer.weight.shape[-1], layer.padding, layer.pieces
    padded = torch.nn.functional.pad(image, (padding,) * 4)
    side = padded.shape[-1] - kernel + 1
    maps = torch.empty(len(layer.weight), side, side, dtype=image.dtype)
    for o in range(len(layer.weight)):
        for i in range(side):
            for j in range(side):
                window = padded[:, i : i + kernel, j : j + kernel]
                maps[o, i, j] = (layer.weight[o] * window).sum() + layer.bias[o]
    size, stride = layer.pool_size, layer.pool_stride
    best = torch.stack(
        [maps[c * pieces : (c + 1) * pieces].amax(0) for c in range(len(maps) // pieces)]
    )
    # Every window that starts inside the map and is needed to reach its border.
    starts = [at for at in range(0, side, stride) if at == 0 or at - stride + size < side]
    windows = [[best[:, i : i + size, j : j + size].amax((1, 2)) for j in starts] for i in starts]
    return torch.stack([torch.stack(row, -1) for row in windows], -2)


@pytest.mark.parametrize(
    ("side", "kernel", "padding", "pool", "stride"),
    [(7, 4, 2, 4, 2), (7, 3, 0, 3, 2), (5, 2, 1, 2, 2), (6, 3, 1, 2, 1)],
)
def test_convolutional_maxout(side: int, kernel: int, padding: int, pool: int, stride: int) -> None:
    layer = filled(ConvolutionalMaxout((2, side, side), 3, 2, kernel, padding, pool, stride))
    images = random(2, 2, side, side)
    actual = layer(images.flatten(1)).view(2, *layer.out_shape)
    expected = torch.stack([slow_convolutional_maxout(layer, image) for image in images])
    torch.testing.assert_close(actual, expected, **TOLERANCE)


def test_the_discriminators_maps_of_2014() -> None:
    """32 -> 33 -> 16 -> 15 -> 7 -> 9 -> 5; the last layer hands on 192 x 5 x 5."""
    shape, shapes = (3, 32, 32), []
    for channels, kernel, padding, pool in ((32, 8, 4, 4), (32, 8, 3, 4), (192, 5, 3, 2)):
        layer = ConvolutionalMaxout(shape, channels, 2, kernel, padding, pool, 2)
        assert layer.weight.shape == (2 * channels, shape[0], kernel, kernel)
        # Shared over positions.
        assert layer.bias.shape == (2 * channels,)
        maps = torch.nn.functional.conv2d(
            torch.zeros(1, *shape), layer.weight, layer.bias, padding=padding
        )
        shape = layer.out_shape
        assert layer(torch.zeros(1, layer.in_shape[0] * layer.in_shape[1] ** 2)).shape == (
            1,
            shape[0] * shape[1] * shape[2],
        )
        shapes += [maps.shape[-1], shape[-1]]
    assert shapes == [33, 16, 15, 7, 9, 5]
    assert shape == (192, 5, 5)


def test_transposed_convolution_has_a_bias_per_pixel() -> None:
    layer, x = filled(TransposedConvolution(3, 2, 3, 2, 2)), random(2, 12)
    features = x.view(2, 3, 2, 2)
    expected = layer.bias.detach().repeat(2, 1, 1, 1)
    for n in range(2):
        for c in range(3):
            for i in range(2):
                for j in range(2):
                    place = expected[n, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
                    place += features[n, c, i, j] * layer.weight.detach()[c]
    torch.testing.assert_close(layer(x).detach(), expected.flatten(1), **TOLERANCE)


def test_the_generators_image_of_2014() -> None:
    layer = TransposedConvolution(80, 10, 5, 3, 3)
    assert layer.weight.shape == (80, 3, 5, 5)
    assert layer.bias.shape == (3, 32, 32)
    assert layer(torch.zeros(2, 8000)).shape == (2, 3 * 32 * 32)


def test_a_generator_applies_its_layers_in_order() -> None:
    layers = [filled(Linear(2, 3, "relu")), filled(Linear(3, 4, "sigmoid"))]
    noise = random(5, 2)
    assert torch.equal(Generator(layers)(noise), layers[1](layers[0](noise)))


def mask(shape: tuple[int, int], keep: float, number: int) -> Tensor:
    """0 where dropout number `number` drops, 1 / keep elsewhere."""
    ones = torch.ones(shape, dtype=torch.float64)
    return ganbench_kernels.dropout(ones, keep, SEED, OFFSET + number)


def test_a_discriminator_drops_out_every_layers_input() -> None:
    layers = [filled(Maxout(8, 6, 2)), filled(Maxout(6, 4, 2)), filled(Linear(4, 1))]
    x = random(5, 8)
    actual = Discriminator(layers, 0.8, 0.5)(x, SEED, OFFSET)
    hidden = layers[0](x * mask((5, 8), 0.8, 0))
    hidden = layers[1](hidden * mask((5, 6), 0.5, 1))
    expected = layers[2](hidden * mask((5, 4), 0.5, 2))
    torch.testing.assert_close(actual, expected.squeeze(1), **TOLERANCE)


def test_dropout_keeps_and_scales_as_in_2014() -> None:
    for keep, scale in ((0.8, 1.25), (0.5, 2.0)):
        values = mask((400, 500), keep, 0)
        assert values.unique().tolist() == [0.0, scale]
        # Five standard deviations of a mean of 200,000 draws.
        assert (values > 0).double().mean().item() == pytest.approx(keep, abs=5 * 0.5 / 447)


def test_every_element_of_a_map_draws_its_own_mask() -> None:
    """Also channels and pixels: the input of a convolution is dropped element by element."""
    layer = ConvolutionalMaxout((2, 3, 3), 1, 1, 3, 0, 1, 1)
    layer.weight.data.fill_(1.0)
    head = Linear(1, 1)
    head.weight.data.fill_(1.0)
    images = torch.ones(4, 18)
    actual = Discriminator([layer, head], 0.5, 1.0)(images, SEED, OFFSET)
    expected = ganbench_kernels.dropout(images, 0.5, SEED, OFFSET).sum(1)
    assert torch.equal(actual, expected)
    assert len(actual.unique()) > 1


def test_masks_follow_seed_and_offset() -> None:
    discriminator = Discriminator([filled(Linear(50, 1))], 0.8, 0.5)
    x = random(3, 50)
    first = discriminator(x, SEED, OFFSET)
    assert torch.equal(discriminator(x, SEED, OFFSET), first)
    assert not torch.equal(discriminator(x, SEED, OFFSET + 1), first)
    assert not torch.equal(discriminator(x, SEED + 1, OFFSET), first)
