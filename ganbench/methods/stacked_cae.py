"""Stacked contractive autoencoder: layers whose codes resist small changes, and a chain on them.

Source: Rifai et al. 2011 (the penalty) and 2012 (the sampler), and the authors' released code.
Deviations: D17, D18, D19.
"""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ganbench.config import Frozen
from ganbench.config.methods.stacked_cae import CaeChains
from ganbench.config.methods.stacked_cae import StackedCae as Settings
from ganbench.methods import chains, tied
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters
from ganbench.methods.tied import TiedLayer


class StackedCae(Method[Settings]):
    """One seed of a stack of autoencoders with tied weights; a part of training for each."""

    losses = ("cross_entropy", "squared_jacobian")

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        super().__init__(recipe, means, stream)
        sizes = [len(means), *(layer.units for layer in recipe.layers)]
        self.layers = [
            _first_weights(inputs, units, stream, self.device)
            for inputs, units in itertools.pairwise(sizes)
        ]

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the constant rate, and no momentum."""
        return self.recipe.learning_rate, 0.0

    @torch.no_grad()
    def update(
        self,
        rows: Float[Tensor, "n d"],
        counters: Counters,
        stream: torch.Generator,
    ) -> dict[str, Tensor]:
        """Makes a step of the layer that `counters.phase` names."""
        inputs = tied.encode(self.layers[: counters.phase], rows)
        layer = self.layers[counters.phase]
        return step(layer, inputs, self.recipe.penalty, self.recipe.learning_rate)

    def weights(self) -> dict[str, Tensor]:
        """Returns `0.weight`, `0.hidden_bias`, `0.visible_bias`, `1.weight` and so on."""
        return tied.named(self.layers)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        stream: torch.Generator,
        train: Float[Tensor, "n d"],
        way: Frozen | None = None,
    ) -> Float[Tensor, "count d"]:
        """Returns samples of chains in the space that the top layer encodes."""
        way = way or next(iter(self.recipe.ways.values()))
        assert isinstance(way, CaeChains)
        *below, top = self.layers
        sigma = way.sigma

        def pixels(visible: Tensor) -> Tensor:
            for layer in reversed(below):
                visible = layer.decode(visible)
            return visible

        start = tied.encode(below, chains.first_pixels(way, count, train, stream))
        return chains.read(
            way, count, start, lambda visible: walk(top, visible, sigma, stream), pixels, stream
        )


def _first_weights(
    inputs: int, units: int, stream: torch.Generator, device: torch.device
) -> TiedLayer:
    bound = 4 * math.sqrt(6 / (inputs + units))
    weight = torch.empty(units, inputs).uniform_(-bound, bound, generator=stream).to(device)
    return TiedLayer(weight, torch.zeros(units, device=device), torch.zeros(inputs, device=device))


def step(
    layer: TiedLayer, inputs: Float[Tensor, "n v"], penalty: float, learning_rate: float
) -> dict[str, Tensor]:
    """Makes a gradient step on cross-entropy + penalty ||J||^2, in place; returns both before it.

    With h = s(W x + b), s' = h (1 - h), the Jacobian of h in x is J = diag(s') W, so that
    ||J||^2 = sum_j s'_j^2 |W_j|^2: one number a unit, and J itself is never formed.

    Args:
        layer: moved.
        inputs: a minibatch x in [0, 1].
        penalty: weight of ||J||^2, the mean over the minibatch.
        learning_rate: of the gradient of the mean over the minibatch.

    Returns:
        `cross_entropy`, nats summed over the visible units, and `squared_jacobian`: means.
    """
    count = len(inputs)
    hidden = layer.encode(inputs)
    logits = layer.visible_logits(hidden)
    slopes = hidden * (1 - hidden)
    squares, norms = slopes.square(), torch.linalg.vector_norm(layer.weight, dim=1).square()
    losses = {
        "cross_entropy": functional.binary_cross_entropy_with_logits(
            logits, inputs, reduction="sum"
        )
        / count,
        "squared_jacobian": (squares @ norms).mean(),
    }
    # By the visible logits, and by the hidden ones: d s'^2 / d logit = 2 s'^2 (1 - 2 h).
    error = (logits.sigmoid_() - inputs) / count
    signal = functional.linear(error, layer.weight) * slopes
    signal += squares * (1 - 2 * hidden) * norms * (2 * penalty / count)
    # The penalty's own gradient in W_j is a multiple of W_j; what is left is one product.
    shrink = 1 - learning_rate * 2 * penalty * squares.mean(0)
    layer.weight.mul_(shrink[:, None]).addmm_(
        torch.cat([signal, hidden]).T, torch.cat([inputs, error]), alpha=-learning_rate
    )
    layer.hidden_bias.sub_(signal.sum(0), alpha=learning_rate)
    layer.visible_bias.sub_(error.sum(0), alpha=learning_rate)
    return losses


def walk(
    layer: TiedLayer, visible: Float[Tensor, "n v"], sigma: float, stream: torch.Generator
) -> Float[Tensor, "n v"]:
    """Returns dec(h + J J' a), a ~ N(0, sigma^2): a step along directions that change the code.

    Args:
        layer: encoder and decoder.
        visible: the state x of each chain.
        sigma: standard deviation of a.
        stream: draws a, on the CPU.
    """
    hidden = layer.encode(visible)
    slopes = hidden * (1 - hidden)
    noise = torch.randn(hidden.shape, generator=stream).to(hidden.device).mul_(sigma)
    # J J' a = s' * (W (W' (s' * a))) costs as much as encoding and decoding.
    moved = slopes * functional.linear((slopes * noise) @ layer.weight, layer.weight)
    return layer.decode(hidden + moved)


METHOD = StackedCae
