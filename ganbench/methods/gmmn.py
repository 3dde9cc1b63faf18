"""Generative moment matching network: a generator whose samples are moved by MMD alone.

Source: Li, Swersky and Zemel 2015 and their released code. There is no second network; a minibatch
of images and as many fresh samples give sqrt(MMD^2), of which the generator takes the gradient.
"""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from ganbench import models
from ganbench.config.frozen import Frozen, list_field
from ganbench.methods.mmd import GMMN_WIDTHS, squared_mmd


class Stretch(Frozen):
    """Updates of one learning rate and momentum."""

    updates: PositiveInt = Field(description="How many.")
    learning_rate: PositiveFloat = Field(description="Of the gradient of sqrt(MMD^2).")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(description="Classical momentum.")


class GmmnSettings(Frozen):
    """The generator, the kernels and the schedule; the defaults are the released MNIST recipe."""

    noise_dim: PositiveInt = Field(10, description="Dimensions of the noise, uniform(-1, 1).")
    hidden: tuple[PositiveInt, ...] = list_field(
        "Rectified units of each hidden layer.", default=(64, 256, 256, 1024), min_length=1
    )
    widths: tuple[PositiveFloat, ...] = list_field(
        "s of each kernel exp(-d^2 / (2 s)).", default=GMMN_WIDTHS, min_length=1
    )
    batch_size: PositiveInt = Field(1000, description="Images, and fresh samples, per update.")
    schedule: tuple[Stretch, ...] = list_field(
        "In order.",
        default=(
            Stretch(updates=10_000, learning_rate=2.0, momentum=0.9),
            Stretch(updates=30_000, learning_rate=0.2, momentum=0.99),
        ),
        min_length=1,
    )

    def rates(self, update: int) -> tuple[float, float]:
        """Returns the learning rate and the momentum of an update, counted from 0."""
        for stretch in self.schedule:
            if update < stretch.updates:
                break
            update -= stretch.updates
        return stretch.learning_rate, stretch.momentum


def build_generator(
    settings: GmmnSettings, pixels: int, stream: torch.Generator
) -> models.Generator:
    """Returns a generator with weights normal of variance 1 / inputs and biases 0.

    Args:
        settings: noise and hidden layers.
        pixels: of an image; the last layer is sigmoid.
        stream: draws the weights.
    """
    sizes = (settings.noise_dim, *settings.hidden, pixels)
    kinds = ["relu"] * len(settings.hidden) + ["sigmoid"]
    layers = []
    for inputs, units, kind in zip(sizes, sizes[1:], kinds, strict=False):
        layer = models.Linear(inputs, units, kind)
        with torch.no_grad():
            layer.weight.normal_(std=1 / math.sqrt(inputs), generator=stream)
        layers.append(layer)
    return models.Generator(layers)


def draw_noise(settings: GmmnSettings, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
    """Returns noise uniform in (-1, 1), where the stream is."""
    empty = torch.empty(count, settings.noise_dim, device=stream.device)
    return empty.uniform_(-1, 1, generator=stream)


def update(
    generator: models.Generator,
    velocities: list[Tensor],
    real: Float[Tensor, "n d"],
    noise: Float[Tensor, "m z"],
    settings: GmmnSettings,
    number: int,
) -> float:
    """Makes update `number`, in place, and returns sqrt(MMD^2) before it.

    Args:
        generator: moved.
        velocities: v <- momentum v - rate gradient, of each parameter in order; moved.
        real: a minibatch of images.
        noise: of as many fresh samples.
        settings: kernels and schedule.
        number: counted from 0.
    """
    # The V-statistic may round to just below 0, whose root is no number.
    loss = squared_mmd(real, generator(noise), settings.widths).clamp(min=1e-12).sqrt()
    parameters = list(generator.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    rate, momentum = settings.rates(number)
    with torch.no_grad():
        for value, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
            velocity.mul_(momentum).sub_(gradient, alpha=rate)
            value.add_(velocity)
    return loss.item()
