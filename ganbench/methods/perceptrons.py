"""Multilayer perceptrons and their Adam, for methods of encoders and decoders."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganbench import models


def perceptron(sizes: Sequence[int], last: str, stream: torch.Generator) -> nn.Sequential:
    """Returns dense layers, rectified but the last, with weights uniform ± sqrt(6 / (in + out)).

    Args:
        sizes: inputs, units of each hidden layer, outputs.
        last: activation of the last layer.
        stream: draws the weights, on the CPU.
    """
    kinds = ["relu"] * (len(sizes) - 2) + [last]
    layers = []
    for inputs, units, kind in zip(sizes, sizes[1:], kinds, strict=False):
        layer = models.Linear(inputs, units, kind)
        bound = math.sqrt(6 / (inputs + units))
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=stream)
        layers.append(layer)
    return nn.Sequential(*layers)


def named(networks: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """Returns the parameters of networks by network and place."""
    return {
        f"{network}.{name}": value
        for network, module in networks.items()
        for name, value in module.named_parameters()
    }


def adam(
    parameters: Mapping[str, nn.Parameter], learning_rate: float, beta1: float = 0.9
) -> torch.optim.Adam:
    """Returns Adam in one pass over memory, whose state exists before its first step.

    Args:
        parameters: to be moved.
        learning_rate: constant.
        beta1: weight of the past in its average of gradients; .999 in that of their squares.
    """
    optimizer = torch.optim.Adam(
        parameters.values(), lr=learning_rate, betas=(beta1, 0.999), fused=True
    )
    for value in parameters.values():
        optimizer.state[value] = {
            "step": torch.zeros((), device=value.device),
            "exp_avg": torch.zeros_like(value),
            "exp_avg_sq": torch.zeros_like(value),
        }
    return optimizer


def adam_tensors(
    name: str, optimizer: torch.optim.Adam, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """Returns the state of an optimiser, under its name and those of its parameters."""
    return {
        f"{name}.{key}.{state}": tensor
        for key, value in parameters.items()
        for state, tensor in optimizer.state[value].items()
    }
