"""Deep belief network: a stack of restricted Boltzmann machines, and Gibbs chains in the top one.

Source: Hinton, Osindero and Teh 2006 (greedy training), Tieleman 2008 (persistent chains).
Deviations: D16.
"""

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ganbench.config import Frozen
from ganbench.config.methods.dbn import Dbn as Settings
from ganbench.config.methods.dbn import DbnChains
from ganbench.methods import chains, tied
from ganbench.methods.base import Method
from ganbench.methods.counters import Counters
from ganbench.methods.tied import TiedLayer, binary

FIRST_WEIGHTS = 0.01  # standard deviation
# Pixels that are the same in all images still have finite logits.
LEAST_MARGINAL = 0.01
# Epochs of a layer with little momentum, because its first gradients are large.
SLOW_EPOCHS, SLOW_MOMENTUM = 5, 0.5


class Dbn(Method[Settings]):
    """One seed of a stack of machines; a part of training for each."""

    losses = ("free_energy_gap",)

    def __init__(
        self, recipe: Settings, means: Float[Tensor, " d"], stream: torch.Generator
    ) -> None:
        super().__init__(recipe, means, stream)
        sizes = [len(means), *(layer.units for layer in recipe.layers)]
        self.layers = [
            _first_weights(inputs, units, stream, self.device)
            for inputs, units in itertools.pairwise(sizes)
        ]
        # A machine of these biases and weights of 0 has the images' marginals.
        marginals = means.clamp(LEAST_MARGINAL, 1 - LEAST_MARGINAL)
        self.layers[0].visible_bias.copy_(marginals.logit())
        self.velocities = [
            TiedLayer(*(torch.zeros_like(value) for value in vars(layer).values()))
            for layer in self.layers
        ]
        self.persistent = recipe.negative_phase == "persistent"
        self.particles = [
            torch.zeros(recipe.particles, layer.units, device=self.device)
            for layer in recipe.layers
            if self.persistent
        ]

    def rates(self, counters: Counters) -> tuple[float, float]:
        """Returns the learning rate and the momentum of the epoch that `counters` end."""
        return self._rates(counters.phase, counters.phase_epoch - 1)

    def _rates(self, number: int, epoch: int) -> tuple[float, float]:
        """Those of one epoch of a layer, counted from 0: the rate changes linearly."""
        recipe = self.recipe
        share = epoch / max(1, recipe.layers[number].epochs - 1)
        rate = (1 - share) * recipe.learning_rate + share * recipe.final_learning_rate
        most = SLOW_MOMENTUM if epoch < SLOW_EPOCHS else 1.0
        return rate, min(recipe.momentum, most)

    @torch.no_grad()
    def update(
        self, rows: Float[Tensor, "n d"], counters: Counters, stream: torch.Generator
    ) -> dict[str, Tensor]:
        """Makes a step of the machine that `counters.phase` names."""
        number = counters.phase
        layer = self.layers[number]
        inputs = tied.encode(self.layers[:number], rows)
        if self.recipe.layers[number].inputs == "binary":
            inputs = binary(inputs, stream)
        data = side(layer, inputs)
        hidden = self.particles[number] if self.persistent else binary(data.hidden, stream)
        model = run_chains(layer, hidden, self.recipe.gibbs_steps, stream)
        if self.persistent:
            hidden.copy_(binary(model.hidden, stream))
        gap = free_energy(layer, data).mean() - free_energy(layer, model).mean()
        rate, momentum = self._rates(number, counters.phase_epoch)
        ascend(
            layer, self.velocities[number], data, model, rate, momentum, self.recipe.weight_decay
        )
        return {"free_energy_gap": gap}

    def weights(self) -> dict[str, Tensor]:
        """Returns `0.weight`, `0.hidden_bias`, `0.visible_bias`, `1.weight` and so on."""
        return tied.named(self.layers)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the weights, their velocities and the persistent chains."""
        velocities = {f"velocity.{k}": v for k, v in tied.named(self.velocities).items()}
        particles = {f"{k}.particles": v for k, v in enumerate(self.particles)}
        return self.weights() | velocities | particles

    @torch.no_grad()
    def sample(
        self,
        count: int,
        stream: torch.Generator,
        train: Float[Tensor, "n d"],
        way: Frozen | None = None,
    ) -> Float[Tensor, "count d"]:
        """Returns samples of Gibbs chains in the top machine, passed down to the pixels."""
        way = way or next(iter(self.recipe.ways.values()))
        assert isinstance(way, DbnChains)
        *below, top = self.layers
        drawn = way.hidden == "binary"

        # A state is what the top machine's visible units are, and the probabilities of that.
        def step(state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            probabilities = top.decode(binary(top.encode(state[0]), stream))
            return binary(probabilities, stream), probabilities

        def pixels(state: tuple[Tensor, Tensor]) -> Tensor:
            values, probabilities = state
            for depth, layer in enumerate(reversed(below)):
                if drawn and depth:
                    values = binary(probabilities, stream)
                probabilities = layer.decode(values if drawn else probabilities)
            return probabilities

        start = tied.encode(below, chains.first_pixels(way, count, train, stream))
        return chains.read(way, count, (binary(start, stream), start), step, pixels, stream)


@dataclass(frozen=True)
class Side:
    """Visible units of a machine, what its hidden units' sigmoids take then, and give."""

    visible: Float[Tensor, "n v"]
    hidden_logits: Float[Tensor, "n h"]
    hidden: Float[Tensor, "n h"]


def side(layer: TiedLayer, visible: Float[Tensor, "n v"]) -> Side:
    """Returns one side of the gradient, the data's or the model's."""
    logits = layer.hidden_logits(visible)
    return Side(visible, logits, logits.sigmoid())


def free_energy(layer: TiedLayer, side: Side) -> Float[Tensor, " n"]:
    """Returns F(v) = -v b - sum_j log(1 + exp(W_j v + c_j)), nats; -log p(v) up to a constant."""
    return -(side.visible @ layer.visible_bias) - functional.softplus(side.hidden_logits).sum(1)


def run_chains(
    layer: TiedLayer, hidden: Float[Tensor, "m h"], steps: int, stream: torch.Generator
) -> Side:
    """Returns the visible units after so many Gibbs steps from hidden units.

    Args:
        layer: the machine.
        hidden: zeros and ones.
        steps: at least 1: v given h, then h given the v before.
        stream: draws the units, on the CPU.
    """
    visible = binary(layer.decode(hidden), stream)
    for _ in range(steps - 1):
        visible = binary(layer.decode(binary(layer.encode(visible), stream)), stream)
    return side(layer, visible)


def ascend(
    layer: TiedLayer,
    velocity: TiedLayer,
    data: Side,
    model: Side,
    rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Moves a machine, in place, up the estimated gradient of the log-likelihood.

    The gradient is the mean of (h v', h, v) over the data less that over the model's samples, with
    the probabilities of h; the data's and the model's rows enter one product.

    Args:
        layer: moved.
        velocity: v <- momentum v + rate (gradient - weight_decay W); moved.
        data: a minibatch.
        model: samples of the machine, not necessarily as many.
        rate: learning rate.
        momentum: of the velocity.
        weight_decay: of the weights alone.
    """
    signs = (1 / len(data.visible), -1 / len(model.visible))
    hidden = torch.cat([one.hidden * sign for one, sign in zip((data, model), signs, strict=True)])
    visible = torch.cat([data.visible, model.visible])
    velocity.weight.addmm_(hidden.T, visible, beta=momentum, alpha=rate)
    if weight_decay:
        velocity.weight.sub_(layer.weight, alpha=rate * weight_decay)
    velocity.hidden_bias.mul_(momentum).add_(hidden.sum(0), alpha=rate)
    difference = data.visible.mean(0) - model.visible.mean(0)
    velocity.visible_bias.mul_(momentum).add_(difference, alpha=rate)
    for value, change in zip(vars(layer).values(), vars(velocity).values(), strict=True):
        value.add_(change)


def _first_weights(
    inputs: int, units: int, stream: torch.Generator, device: torch.device
) -> TiedLayer:
    weight = torch.empty(units, inputs).normal_(std=FIRST_WEIGHTS, generator=stream).to(device)
    return TiedLayer(weight, torch.zeros(units, device=device), torch.zeros(inputs, device=device))


METHOD = Dbn
