"""Many small multilayer perceptrons of one shape, trained side by side on a leading dimension."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.seeding import generator


@dataclass(frozen=True)
class Perceptron:
    """A shape: units of each layer, and what follows every layer but the last."""

    units: tuple[int, ...]
    activation: Literal["relu", "tanh"] = "relu"
    output: Literal["linear", "sigmoid"] = "linear"

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.units))

    def initial(
        self, seeds: Sequence[int], player: int, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "runs size"]:
        """Draws parameters uniform in +-1 / sqrt(inputs), one row per seed.

        Args:
            seeds: equal seeds get equal rows.
            player: tells apart the networks of one run.
            dtype: of the parameters.
        """
        rows = {seed: self._row(seed, player) for seed in set(seeds)}
        return torch.stack([rows[seed] for seed in seeds]).to(dtype)

    def _row(self, seed: int, player: int) -> Float[Tensor, "size"]:
        rng = generator(seed, "init", player)
        parts = []
        for inputs, outputs in pairwise(self.units):
            reach = 1 / math.sqrt(inputs)
            count = (inputs + 1) * outputs
            parts.append(torch.empty(count).uniform_(-reach, reach, generator=rng))
        return torch.cat(parts)

    def __call__(
        self,
        parameters: Float[Tensor, "runs size"],
        x: Float[Tensor, "runs n inputs"],
        masks: Sequence[Float[Tensor, "runs n units"]] = (),
    ) -> Float[Tensor, "runs n outputs"]:
        """Returns the outputs of every run.

        Args:
            parameters: one row per run.
            x: inputs of every run.
            masks: dropout masks, already scaled, one per hidden layer; none if empty.
        """
        start, last = 0, len(self.units) - 2
        for layer, (inputs, outputs) in enumerate(pairwise(self.units)):
            middle = start + inputs * outputs
            weight = parameters[:, start:middle].unflatten(1, (inputs, outputs))
            x = torch.baddbmm(parameters[:, None, middle : middle + outputs], x, weight)
            start = middle + outputs
            if layer < last:
                x = torch.relu(x) if self.activation == "relu" else torch.tanh(x)
                x = x * masks[layer] if masks else x
        return torch.sigmoid(x) if self.output == "sigmoid" else x

    def lipschitz_bound(self, parameters: Float[Tensor, "runs size"]) -> Float[Tensor, "runs"]:
        """Returns the product of the layers' spectral norms; no slope of the output exceeds it."""
        bound, start = torch.ones(len(parameters), device=parameters.device), 0
        for inputs, outputs in pairwise(self.units):
            weight = parameters[:, start : start + inputs * outputs].unflatten(1, (inputs, outputs))
            bound = bound * torch.linalg.matrix_norm(weight.detach(), ord=2)
            start += (inputs + 1) * outputs
        return bound


EPSILON = 1e-8  # Adam's: a parameter without a gradient so far stays where it is


class Adam:
    """Adam (Kingma and Ba 2015) on rows of parameters, each with a learning rate of its own."""

    def __init__(self, parameters: Float[Tensor, "runs size"], beta1: float, beta2: float) -> None:
        """Starts with zero moments for `parameters`, which `step` changes in place."""
        self.parameters = parameters
        self.beta1, self.beta2 = beta1, beta2
        self.first = torch.zeros_like(parameters)
        self.second = torch.zeros_like(parameters)
        self.steps = 0

    @torch.no_grad()
    def step(
        self, gradient: Float[Tensor, "runs size"], rate: Float[Tensor, "runs 1"] | float
    ) -> None:
        """Makes one descent step."""
        self.steps += 1
        self.first.lerp_(gradient, 1 - self.beta1)
        self.second.lerp_(gradient.square(), 1 - self.beta2)
        corrected = 1 - self.beta1**self.steps
        scale = math.sqrt(1 - self.beta2**self.steps)
        self.parameters -= rate / corrected * self.first / (self.second.sqrt() / scale + EPSILON)
