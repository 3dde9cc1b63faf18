"""A pair of sigmoid layers that share their weights: a restricted Boltzmann machine's two sides, or
an encoder and its decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class TiedLayer:
    """Weights [h, v], a bias for each hidden unit [h] and one for each visible unit [v]."""

    weight: Float[Tensor, "h v"]
    hidden_bias: Float[Tensor, " h"]
    visible_bias: Float[Tensor, " v"]

    def hidden_logits(self, visible: Float[Tensor, "n v"]) -> Float[Tensor, "n h"]:
        """Returns what the hidden units' sigmoids take."""
        return functional.linear(visible, self.weight, self.hidden_bias)

    def visible_logits(self, hidden: Float[Tensor, "n h"]) -> Float[Tensor, "n v"]:
        """Returns what the visible units' sigmoids take."""
        return torch.addmm(self.visible_bias, hidden, self.weight)

    def encode(self, visible: Float[Tensor, "n v"]) -> Float[Tensor, "n h"]:
        """Returns the hidden units' values or probabilities."""
        return self.hidden_logits(visible).sigmoid_()

    def decode(self, hidden: Float[Tensor, "n h"]) -> Float[Tensor, "n v"]:
        """Returns the visible units' values or probabilities."""
        return self.visible_logits(hidden).sigmoid_()


def encode(layers: Sequence[TiedLayer], visible: Float[Tensor, "n v"]) -> Float[Tensor, "n h"]:
    """Returns the code that a stack of layers, from the pixels up, gives."""
    for layer in layers:
        visible = layer.encode(visible)
    return visible


def named(layers: Sequence[TiedLayer]) -> dict[str, Tensor]:
    """Returns the tensors of a stack by name, for instance `0.weight`."""
    return {
        f"{number}.{name}": value
        for number, layer in enumerate(layers)
        for name, value in vars(layer).items()
    }


def binary(probabilities: Float[Tensor, "n d"], stream: torch.Generator) -> Float[Tensor, "n d"]:
    """Returns independent zeros and ones of these probabilities; the stream is on the CPU."""
    # Faster than torch.bernoulli, and the same on every device.
    uniform = torch.rand(probabilities.shape, generator=stream)
    return uniform.to(probabilities.device).lt_(probabilities)
