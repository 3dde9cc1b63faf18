"""Noise and samples of a trained model."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Adversarial

SAMPLE_BATCH = 1000


def draw_noise(
    experiment: Adversarial, count: int, stream: torch.Generator
) -> Float[Tensor, "n z"]:
    """Returns noise of mean 0 and variance 1 in every dimension, where the stream is."""
    size = (count, experiment.generator.noise_dim)
    if experiment.generator.noise == "normal":
        return torch.randn(size, generator=stream, device=stream.device)
    bound = math.sqrt(3)
    return torch.empty(size, device=stream.device).uniform_(-bound, bound, generator=stream)


@torch.no_grad()
def draw_samples(
    generator: torch.nn.Module,
    experiment: Adversarial,
    count: int,
    stream: torch.Generator,
    device: torch.device,
) -> Float[Tensor, "n d"]:
    """Returns `count` samples; one draw of noise, so that batches do not change them."""
    noise = draw_noise(experiment, count, stream)
    return torch.cat([generator(part.to(device)) for part in noise.split(SAMPLE_BATCH)])


@dataclass(frozen=True)
class Sampler:
    """A trained model as what samples can be drawn from.

    Attributes:
        draw: a count and a stream of noise to samples (count, D).
        between: the two ends' count, a stream and the number of steps to images on straight lines
            in z, (ends / 2 * steps, D); None where there is no z.
    """

    draw: Callable[[int, torch.Generator], Float[Tensor, "n d"]]
    between: Callable[[int, torch.Generator, int], Float[Tensor, "n d"]] | None = None


def of_generator(
    generator: torch.nn.Module, experiment: Adversarial, device: torch.device
) -> Sampler:
    """Returns the sampler of an adversarial experiment's generator, which is on the device."""

    @torch.no_grad()
    def between(ends: int, stream: torch.Generator, steps: int) -> Float[Tensor, "n d"]:
        noise = draw_noise(experiment, ends, stream)
        start, end = noise[: ends // 2, None], noise[ends // 2 :, None]
        share = torch.linspace(0, 1, steps)[None, :, None]
        return generator(torch.lerp(start, end, share).flatten(0, 1).to(device))

    return Sampler(
        lambda count, stream: draw_samples(generator, experiment, count, stream, device), between
    )
