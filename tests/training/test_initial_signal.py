"""How much signal the released initialisation lets through both players on CIFAR-10 (D13)."""

from typing import NamedTuple

import pytest
import torch

from ganbench.bench.updates import experiment
from ganbench.training.networks import build_discriminator, build_generator

SHAPE, PIXELS, COUNT = (3, 32, 32), 3 * 32 * 32, 50
# Global contrast normalisation gives every image this norm.
NORM = 55.0


class Signal(NamedTuple):
    """Standard deviations and a norm before the first update."""

    pixels_over_noise: float
    logits_over_images: float
    gradient_at_fake: float


def signal(name: str) -> Signal:
    """Of an experiment's networks with fresh weights, without dropout, on smooth made-up images."""
    settings = experiment(name)
    stream = torch.Generator().manual_seed(0)
    generator = build_generator(settings.generator, SHAPE, torch.zeros(PIXELS), stream)
    discriminator = build_discriminator(settings.discriminator, SHAPE, stream)
    coarse = torch.randn(COUNT, 3, 4, 4, generator=stream)
    images = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear").flatten(1)
    images = NORM * torch.nn.functional.normalize(images - images.mean(1, keepdim=True))

    def logits(x: torch.Tensor) -> torch.Tensor:
        for layer in discriminator.layers:
            x = layer(x)
        return x.squeeze(1)

    fake = generator(torch.randn(COUNT, settings.generator.noise_dim, generator=stream)).detach()
    leaf = fake.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.nn.functional.softplus(-logits(leaf)).sum(), leaf)
    with torch.no_grad():
        return Signal(
            fake.std(0).mean().item(),
            logits(images).std().item(),
            gradient.norm(dim=1).mean().item(),
        )


def test_the_convolutional_players_start_with_hardly_any_signal() -> None:
    convolutional, connected = signal("cifar10_conv"), signal("cifar10_fc")
    # Images have a standard deviation of .99: the fakes are one image.
    assert convolutional.pixels_over_noise == pytest.approx(0.04, rel=0.2)
    assert connected.pixels_over_noise > 1
    # D tells nothing apart, and what it could teach G does not arrive.
    assert convolutional.logits_over_images < 1e-5
    assert connected.logits_over_images > 5e-4
    assert convolutional.gradient_at_fake < 1e-5
    assert connected.gradient_at_fake > 5e-4
