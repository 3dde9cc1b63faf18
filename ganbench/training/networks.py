"""Networks from their configuration, with the initial values of 2014."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganbench import config, models
from ganbench.errors import ConfigError

# Marginal pixel means are clipped to [MARGIN, 1 - MARGIN] before the logit.
MARGIN = 1e-7
Shape = tuple[int, int, int]


def build_generator(
    settings: config.Generator,
    image_shape: Shape,
    pixel_means: Float[Tensor, " d"],
    stream: torch.Generator,
) -> models.Generator:
    """Returns a generator with fresh weights.

    Args:
        settings: noise and layers.
        image_shape: channels, height, width of an image.
        pixel_means: mean of each pixel of the training set, for `bias: marginals`.
        stream: draws the weights.

    Raises:
        ConfigError: the layers do not end in an image of that shape.
    """
    layers: list[nn.Module] = []
    inputs = settings.noise_dim
    for layer in settings.layers:
        if isinstance(layer, config.Linear):
            layers.append(_linear(layer, inputs, pixel_means, stream))
            inputs = layer.units
        else:
            module = _transposed_convolution(layer, inputs, image_shape, stream)
            layers.append(module)
            inputs = module.bias.numel()
    if inputs != math.prod(image_shape):
        raise ConfigError(
            f"generator: layers: the last one gives {inputs} pixels, got images of "
            f"{math.prod(image_shape)} {list(image_shape)}; correct its size"
        )
    return models.Generator(layers)


def put_in_front(
    generator: models.Generator,
    front: tuple[config.Linear, ...],
    noise_dim: int,
    stream: torch.Generator,
) -> models.Generator:
    """Returns the generator with new layers between the noise and what it has.

    Raises:
        ConfigError: the new layers do not end in `noise_dim` units.
    """
    layers: list[nn.Module] = []
    inputs = noise_dim
    for layer in front:
        layers.append(_linear(layer, inputs, torch.empty(0), stream))
        inputs = layer.units
    if inputs != noise_dim:
        raise ConfigError(
            f"training: phases: generator_front: ends in {inputs} units, "
            f"but the generator takes {noise_dim}; correct its size"
        )
    return models.Generator([*layers, *generator.layers])


def build_discriminator(
    settings: config.Discriminator, image_shape: Shape, stream: torch.Generator
) -> models.Discriminator:
    """Returns a discriminator with fresh weights (arguments as in `build_generator`).

    Raises:
        ConfigError: it does not end in one logit, or convolves after a fully connected layer.
    """
    layers: list[nn.Module] = []
    shape: Shape | None = image_shape
    inputs = math.prod(image_shape)
    for layer in settings.layers:
        if isinstance(layer, config.ConvolutionalMaxout):
            module = _convolutional_maxout(layer, shape, stream)
            layers.append(module)
            shape, inputs = module.out_shape, math.prod(module.out_shape)
        else:
            layers.append(_dense(layer, inputs, stream))
            shape, inputs = None, layer.units
    if inputs != 1:
        raise ConfigError(
            f"discriminator: layers: the last one has {inputs} units; it needs 1, the logit"
        )
    return models.Discriminator(layers, settings.input_keep, settings.hidden_keep)


def _dense(
    layer: config.Maxout | config.Linear, inputs: int, stream: torch.Generator
) -> models.Maxout | models.Linear:
    if isinstance(layer, config.Linear):
        return _linear(layer, inputs, torch.empty(0), stream)
    module = models.Maxout(inputs, layer.units, layer.pieces)
    _uniform(module.weight, layer.irange, stream)
    return module


def _linear(
    layer: config.Linear, inputs: int, pixel_means: Tensor, stream: torch.Generator
) -> models.Linear:
    module = models.Linear(inputs, layer.units, layer.activation)
    if layer.irange is not None:
        _uniform(module.weight, layer.irange, stream)
    else:
        _sparse_normal(module.weight, layer.sparse_weights or 0, stream)
    with torch.no_grad():
        if layer.bias == "marginals":
            if len(pixel_means) != layer.units:
                raise ConfigError(
                    f"generator: layers: bias: 'marginals' needs one unit per pixel "
                    f"({len(pixel_means)}), got {layer.units} units; use a number"
                )
            module.bias.copy_(torch.logit(pixel_means.double(), eps=MARGIN))
        else:
            module.bias.fill_(layer.bias)
    return module


def _convolutional_maxout(
    layer: config.ConvolutionalMaxout, shape: Shape | None, stream: torch.Generator
) -> models.ConvolutionalMaxout:
    if shape is None:
        raise ConfigError(
            "discriminator: layers: convolutional_maxout comes after a fully connected layer; "
            "put the convolutional layers first"
        )
    module = models.ConvolutionalMaxout(
        shape,
        layer.channels,
        layer.pieces,
        layer.kernel_size,
        layer.padding,
        layer.pool_size,
        layer.pool_stride,
    )
    if module.out_shape[1] < 1:
        raise ConfigError(
            f"discriminator: layers: convolutional_maxout: kernel_size {layer.kernel_size} and "
            f"pool_size {layer.pool_size} are larger than the input {list(shape)}; reduce them"
        )
    _uniform(module.weight, layer.irange, stream)
    return module


def _transposed_convolution(
    layer: config.TransposedConvolution, inputs: int, image_shape: Shape, stream: torch.Generator
) -> models.TransposedConvolution:
    expected = layer.channels * layer.size**2
    if inputs != expected:
        raise ConfigError(
            f"generator: layers: transposed_convolution: takes {expected} features "
            f"({layer.channels} x {layer.size} x {layer.size}), got {inputs}; correct its size"
        )
    module = models.TransposedConvolution(
        layer.channels, layer.size, layer.kernel_size, layer.stride, image_shape[0]
    )
    _uniform(module.weight, layer.irange, stream)
    return module


@torch.no_grad()
def _uniform(weight: Tensor, irange: float, stream: torch.Generator) -> None:
    weight.uniform_(-irange, irange, generator=stream)


@torch.no_grad()
def _sparse_normal(weight: Tensor, count: int, stream: torch.Generator) -> None:
    """Standard-normal values at `count` random inputs of each unit, 0 elsewhere."""
    units, inputs = weight.shape
    if count > inputs:
        raise ConfigError(
            f"generator: layers: sparse_weights: got {count}, more than the {inputs} inputs; "
            "reduce it"
        )
    chosen = torch.rand(units, inputs, generator=stream).topk(count, dim=1).indices
    weight.scatter_(1, chosen, torch.randn(units, count, generator=stream))
