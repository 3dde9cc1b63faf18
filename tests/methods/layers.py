"""What the tests of the layer-wise methods share: tiny images, training, kill and resume."""

from typing import Any

import torch
from torch import Tensor

from ganbench.data.digits import load as load_digits
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters


def digits() -> Tensor:
    """Returns the digits' training images, [n, 64] in [0, 1]."""
    return torch.from_numpy(load_digits().train).flatten(1).float() / 16


def train(
    method: Method[Any], images: Tensor, updates: int, first: int = 0, phase_updates: int = 3
) -> list[dict[str, float]]:
    """Makes updates number `first` and on; every so many a part of the recipe begins."""
    losses = []
    for number in range(first, first + updates):
        # Each update has a stream of its own here, so that training may stop between any two.
        stream = torch.Generator().manual_seed(number)
        rows = images[torch.randint(len(images), (20,), generator=stream)]
        parts = len(method.recipe.parts)
        phase = min(number // phase_updates, parts - 1)
        counters = Counters(
            phase=phase, phase_updates=number - phase * phase_updates, updates=number
        )
        losses.append({k: v.item() for k, v in method.update(rows, counters, stream).items()})
    return losses


def resumed_is_equal(first: Method[Any], second: Method[Any], images: Tensor) -> bool:
    """Whether an object that is given the first's tensors goes on bit for bit, at any update."""
    for number in range(6):
        saved = {name: value.clone() for name, value in first.tensors().items()}
        for name, value in second.tensors().items():
            value.copy_(saved[name])
        losses = [train(one, images, 2, number) for one in (first, second)]
        equal = [
            torch.equal(a, b)
            for a, b in zip(first.tensors().values(), second.tensors().values(), strict=True)
        ]
        if losses[0] != losses[1] or not all(equal):
            return False
        for name, value in first.tensors().items():
            value.copy_(saved[name])
        train(first, images, 1, number)
    return True
