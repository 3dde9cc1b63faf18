"""One training update as people write it in torch: the alternating loop of most GAN code.

The discriminator learns from [real; fake], then the generator from the same fakes, classified by
the discriminator that has just moved.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ganbench import config

ACTIVATIONS = {"linear": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
# Sparse initial weights are dense ones to a matrix product.
DEFAULT_IRANGE = 0.05
Shape = tuple[int, int, int]


class Maxout(nn.Module):
    """The largest of each unit's affine pieces."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, units * pieces)

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n units"]:
        return self.linear(x).view(len(x), -1, self.pieces).max(-1).values


class ConvolutionalMaxout(nn.Module):
    """Convolution, the largest of each channel's pieces, max-pooling."""

    def __init__(self, inputs: int, layer: config.ConvolutionalMaxout) -> None:
        super().__init__()
        self.pieces = layer.pieces
        filters = layer.channels * layer.pieces
        self.conv = nn.Conv2d(inputs, filters, layer.kernel_size, padding=layer.padding)
        self.pool = nn.MaxPool2d(layer.pool_size, layer.pool_stride, ceil_mode=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        return self.pool(self.conv(x).unflatten(1, (-1, self.pieces)).max(2).values)


class PixelBias(nn.Module):
    """One bias per pixel."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.bias


def build_generator(settings: config.Generator, image: Shape) -> nn.Sequential:
    """Returns a plain torch generator of the experiment's layers, noise to rows of pixels."""
    layers: list[nn.Module] = []
    inputs = settings.noise_dim
    for layer in settings.layers:
        if isinstance(layer, config.Linear):
            layers.append(_uniform(nn.Linear(inputs, layer.units), layer.irange))
            layers.append(ACTIVATIONS[layer.activation]())
            inputs = layer.units
        else:
            transposed = nn.ConvTranspose2d(
                layer.channels, image[0], layer.kernel_size, layer.stride, bias=False
            )
            layers.append(nn.Unflatten(1, (layer.channels, layer.size, layer.size)))
            layers.append(_uniform(transposed, layer.irange))
            layers += [PixelBias(image), nn.Flatten()]
    return nn.Sequential(*layers)


def build_discriminator(settings: config.Discriminator, image: Shape) -> nn.Sequential:
    """Returns a plain torch discriminator of the experiment's layers, rows of pixels to a logit."""
    layers: list[nn.Module] = [nn.Unflatten(1, image)]
    keep, shape = settings.input_keep, image
    for layer in settings.layers:
        layers.append(nn.Dropout(1 - keep))
        keep = settings.hidden_keep
        if isinstance(layer, config.ConvolutionalMaxout):
            layers.append(_uniform(ConvolutionalMaxout(shape[0], layer), layer.irange))
            with torch.no_grad():
                shape = tuple(layers[-1](torch.zeros(1, *shape)).shape[1:])
            continue
        inputs = math.prod(shape)
        dense = (
            nn.Linear(inputs, layer.units)
            if isinstance(layer, config.Linear)
            else Maxout(inputs, layer.units, layer.pieces)
        )
        layers += [nn.Flatten(), _uniform(dense, layer.irange)]
        shape = (layer.units, 1, 1)
    return nn.Sequential(*layers, nn.Flatten(0))


@torch.no_grad()
def _uniform(module: nn.Module, irange: float | None) -> nn.Module:
    bound = irange or DEFAULT_IRANGE
    for parameter in module.parameters():
        parameter.uniform_(-bound, bound) if parameter.dim() > 1 else parameter.zero_()
    return module


class PlainLoop:
    """The networks, two optimisers, and the step that most GAN code repeats.

    Args:
        experiment: gives layers, batch size, rates and the bound on the columns' norms; the
            learning rate stays that of the first update.
        images: rows of pixels to train on.
        shape: of an image.
        compiled: whether both networks go through torch.compile.
        autocast: whether forward passes run under bfloat16 autocast.
        device: where networks and images live.
        mode: of torch.compile.
    """

    def __init__(
        self,
        experiment: config.Adversarial,
        images: Float[Tensor, "m d"],
        shape: Shape,
        compiled: bool = False,
        autocast: bool = False,
        device: str = "cpu",
        mode: str | None = None,
    ) -> None:
        training = experiment.training
        self.images, self.noise_dim = images.to(device), experiment.generator.noise_dim
        self.normal = experiment.generator.noise == "normal"
        self.generator = build_generator(experiment.generator, shape).to(device)
        self.discriminator = build_discriminator(experiment.discriminator, shape).to(device)
        self.bound = training.max_column_norm
        optimiser = partial(
            torch.optim.SGD, lr=training.learning_rate, momentum=training.momentum_initial
        )
        self.generator_optimiser = optimiser(self.generator.parameters())
        self.discriminator_optimiser = optimiser(self.discriminator.parameters())
        self.graphs = mode == "reduce-overhead"
        if compiled:
            self.generator.compile(mode=mode)
            self.discriminator.compile(mode=mode)
        self.context = partial(torch.autocast, device, torch.bfloat16) if autocast else nullcontext

    def update(self, index: Tensor) -> None:
        """Trains both players on the chosen images and on as many fakes."""
        if self.graphs:
            # What an earlier update's graphs gave may be written over from here on.
            torch.compiler.cudagraph_mark_step_begin()
        real = self.images[index]
        noise = real.new_empty(len(real), self.noise_dim)
        bound = math.sqrt(3)
        self.step(real, noise.normal_() if self.normal else noise.uniform_(-bound, bound))

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yields both players' parameters."""
        yield from self.generator.parameters()
        yield from self.discriminator.parameters()

    def step(self, real: Float[Tensor, "n d"], noise: Float[Tensor, "n z"]) -> None:
        """One step of the discriminator, then one of the generator, on the same fakes."""
        ones, zeros = real.new_ones(len(real)), real.new_zeros(len(real))
        loss = functional.binary_cross_entropy_with_logits
        with self.context():
            fake = self.generator(noise)
            logits = self.discriminator(torch.cat([real, fake.detach()]))
            real_logits, fake_logits = logits.float().split(len(real))
            discriminator_loss = 0.5 * (loss(real_logits, ones) + loss(fake_logits, zeros))
        self.discriminator_optimiser.zero_grad()
        discriminator_loss.backward()
        self.discriminator_optimiser.step()
        with self.context():
            generator_loss = loss(self.discriminator(fake).float(), ones)
        self.generator_optimiser.zero_grad()
        generator_loss.backward()
        self.generator_optimiser.step()
        if self.bound is not None:
            bound_columns(self.generator, self.bound)
            bound_columns(self.discriminator, self.bound)


@torch.no_grad()
def bound_columns(network: nn.Module, bound: float) -> None:
    """Scales each unit's incoming weights down to an L2 norm of at most `bound`."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            norm = torch.linalg.vector_norm(module.weight, dim=1, keepdim=True)
            module.weight.mul_((bound / norm).clamp_(max=1))


Update = Callable[[Tensor], object]


def torch_rivals(
    experiment: config.Adversarial, images: Float[Tensor, "m d"], shape: Shape
) -> dict[str, Update]:
    """Returns the update of each torch rival; each takes the rows' indices."""
    loops = {
        "plain": PlainLoop(experiment, images, shape),
        "compiled": PlainLoop(experiment, images, shape, compiled=True),
        "autocast": PlainLoop(experiment, images, shape, autocast=True),
    }
    return {name: loop.update for name, loop in loops.items()}
