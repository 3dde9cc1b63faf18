"""Samples read off Markov chains that run side by side."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config.methods import Chains
from ganbench.methods.tied import binary

State = TypeVar("State")


def first_pixels(
    way: Chains, count: int, train: Float[Tensor, "n d"], stream: torch.Generator
) -> Float[Tensor, "chains d"]:
    """Returns the pixels at which the chains of `count` samples start.

    Args:
        way: how many chains, and where they start; no more chains than samples.
        count: how many samples will be read.
        train: training images, each of them a start at most once before any is one twice.
        stream: chooses the images or draws the noise, on the CPU.
    """
    chains = min(way.chains, count)
    if way.start == "noise":
        return torch.rand(chains, train.shape[1], generator=stream).to(train.device)
    order = torch.randperm(len(train), generator=stream)
    return train[order.repeat(math.ceil(chains / len(train)))[:chains].to(train.device)]


def read(
    way: Chains,
    count: int,
    state: State,
    step: Callable[[State], State],
    means: Callable[[State], Float[Tensor, "chains d"]],
    stream: torch.Generator,
) -> Float[Tensor, "count d"]:
    """Runs the chains and returns their kept states as pixels, all chains' first ones first.

    Args:
        way: what is left out, and whether samples are means or binary.
        count: how many samples; the last states are cut where it is no multiple of the chains.
        state: of all chains, before the first step; not itself a sample.
        step: to the next state.
        means: of the pixels, from a state.
        stream: draws binary pixels, on the CPU.
    """
    for _ in range(way.burn_in):
        state = step(state)
    rows: list[Tensor] = []
    for _ in range(math.ceil(count / min(way.chains, count))):
        for _ in range(way.thin):
            state = step(state)
        pixels = means(state)
        rows.append(binary(pixels, stream) if way.pixels == "binary" else pixels)
    return torch.cat(rows)[:count]
