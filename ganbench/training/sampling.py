"""Noise and samples of a generator."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Experiment

SAMPLE_BATCH = 1000


def draw_noise(experiment: Experiment, count: int, stream: torch.Generator) -> Float[Tensor, "n z"]:
    """Returns noise of mean 0 and variance 1 in every dimension, where the stream is."""
    size = (count, experiment.generator.noise_dim)
    if experiment.generator.noise == "normal":
        return torch.randn(size, generator=stream, device=stream.device)
    bound = math.sqrt(3)
    return torch.empty(size, device=stream.device).uniform_(-bound, bound, generator=stream)


@torch.no_grad()
def draw_samples(
    generator: torch.nn.Module,
    experiment: Experiment,
    count: int,
    stream: torch.Generator,
    device: torch.device,
) -> Float[Tensor, "n d"]:
    """Returns `count` samples; one draw of noise, so that batches do not change them."""
    noise = draw_noise(experiment, count, stream)
    return torch.cat([generator(part.to(device)) for part in noise.split(SAMPLE_BATCH)])
