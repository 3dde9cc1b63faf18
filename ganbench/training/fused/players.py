"""The networks of one player, one per seed: parameters, momentum, and how they move."""

from collections.abc import Sequence
from functools import cache
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

import ganbench_kernels
from ganbench.config import Precision
from ganbench.errors import ConfigError
from ganbench.models import Discriminator, Generator, Linear, Maxout
from ganbench.training.fused import convolutional_passes, dense_passes, pages
from ganbench.training.fused.passes import Pass, Rates, Slot

Network = TypeVar("Network", Generator, Discriminator)


class Parameter(NamedTuple):
    """A parameter of S networks and what belongs to it; all are views."""

    weights: Tensor
    velocity: Tensor
    gradient: Tensor | None  # where the update wants it
    compute: Tensor  # what products read
    norms: Tensor | None  # of incoming weights, where they are bounded


class Player(Generic[Network]):
    """One player's networks, one per seed, with parameters and momentum in flat buffers.

    The networks' own parameters become views into those buffers, so that they are always current.

    Args:
        networks: of one architecture, all on one device; they may not couple a batch's examples.
        max_column_norm: bound on the L2 norm of each unit's incoming weights, None for none.
        precision: what products are computed in; weights, momentum and sums stay in the networks'
            own dtype.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        max_column_norm: float | None,
        precision: Precision = "float32",
    ) -> None:
        self.networks, self.bound = list(networks), max_column_norm
        stacked = [
            torch.stack([parameter.detach() for parameter in same])
            for same in zip(*(network.parameters() for network in networks), strict=True)
        ]
        self.shapes = [value.shape for value in stacked]
        count = sum(shape.numel() for shape in self.shapes)
        self.weights, self.velocity = (_zeros(count, stacked[0]) for _ in range(2))
        torch.cat([value.flatten() for value in stacked], out=self.weights)
        low = precision == "bfloat16"
        products = self.weights[:1].to(torch.bfloat16 if low else self.weights.dtype)
        self.compute = _zeros(count, products) if low else self.weights
        self.gradient = _zeros(count, products) if low or self.weights.is_cuda else None
        self.values, self.velocities = self._split(self.weights), self._split(self.velocity)
        # The networks' parameters become views into the flat buffer, so that they never go stale.
        for s, network in enumerate(networks):
            for parameter, value in zip(network.parameters(), self.values, strict=True):
                parameter.data = value[s]
        self.bounds = self._bounds()
        self.parameters = self._parameters()
        self.passes = self._passes()
        for parameter in self.parameters:
            _take_norms(parameter)
        self._bound()
        self.refresh()

    def learn(
        self,
        number: int,
        rates: Rates,
        row_weight: Tensor | None = None,
        norms: list[Tensor] | None = None,
    ) -> None:
        """Takes the gradient of layer `number` into momentum, once it has passed it on.

        Where no gradient is in memory its weights move at once.

        Args:
            number: of the layer, whose backward is done.
            rates: step sizes.
            row_weight: see `Pass.gradients`.
            norms: gets the L2 norms [S] of the layer's gradients.
        """
        layer_pass = self.passes[number]
        layer_pass.learned = True
        if norms is not None or self.gradient is not None:
            gradients = layer_pass.gradients(row_weight)
            if norms is not None:
                norms += [gradient.flatten(1).double().norm(dim=1) for gradient in gradients]
        if self.gradient is None:
            layer_pass.step(rates, row_weight)

    def move(self, rates: Rates) -> None:
        """Ends an update: moves what has not moved yet, bounds the norms of incoming weights."""
        if self.weights.is_cuda:
            assert self.gradient is not None
            gradients = self._split(self.gradient.to(self.weights.dtype))
            ganbench_kernels.sgd_momentum_max_norm_(
                self.values, self.velocities, gradients, *rates, self.bounds
            )
            self.refresh()
            return
        if self.gradient is not None:
            _compiled_move()(self.parameters, *map(torch.as_tensor, rates))
        self._bound()

    def _bounds(self) -> list[float | None]:
        """The bound of each parameter: dense weights have one."""
        dense = {
            id(module.weight)
            for module in self.networks[0].modules()
            if isinstance(module, Linear | Maxout)
        }
        parameters = self.networks[0].parameters()
        return [self.bound if id(parameter) in dense else None for parameter in parameters]

    def _bound(self) -> None:
        """Scales down incoming weights that are too long."""
        bounded = [(parameter.weights, parameter.norms) for parameter in self.parameters]
        bounded = [(weights, norms) for weights, norms in bounded if norms is not None]
        if self.bound is None or not any(bool((norms > self.bound).any()) for _, norms in bounded):
            return
        for weights, norms in bounded:
            weights.mul_((self.bound / norms).clamp_(max=1).unsqueeze(-1))
        self.refresh()

    def refresh(self) -> None:
        """Rounds the weights anew to what products read; needed after writing to `values`."""
        if self.compute is not self.weights:
            self.compute.copy_(self.weights)

    def _split(self, flat: Tensor) -> list[Tensor]:
        parts = flat.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _parameters(self) -> list[Parameter]:
        gradients = [None] * len(self.values)
        if self.gradient is not None:
            gradients = self._split(self.gradient)
        norms = [
            None if bound is None else value.new_empty(value.shape[:-1])
            for value, bound in zip(self.values, self.bounds, strict=True)
        ]
        parts = self.values, self.velocities, gradients, self._split(self.compute), norms
        return [Parameter(*part) for part in zip(*parts, strict=True)]

    def _passes(self) -> list[Pass]:
        slots = (
            Slot(parameter.compute, parameter.velocity, parameter.gradient, parameter.norms)
            for parameter in self.parameters
        )
        # Every layer has a weight and a bias, in this order.
        layers = zip(self.networks[0].layers, zip(*[slots] * 2, strict=True), strict=True)
        return [make_pass(layer, *pair) for layer, pair in layers]


@cache
def _compiled_move():
    """Momentum, weights, their bfloat16 copy and norms in one pass over memory; eager takes six."""
    return torch.compile(_move, dynamic=False, fullgraph=True)


def _move(parameters: list[Parameter], rate: Tensor, momentum: Tensor) -> None:
    for parameter in parameters:
        assert parameter.gradient is not None
        parameter.velocity.mul_(momentum).sub_(
            parameter.gradient.to(parameter.weights.dtype) * rate
        )
        parameter.weights.add_(parameter.velocity)
        parameter.compute.copy_(parameter.weights)
        if parameter.norms is not None:
            parameter.norms.copy_(torch.linalg.vector_norm(parameter.weights, dim=-1))


def _zeros(count: int, like: Tensor) -> Tensor:
    return like.new_zeros(count) if like.is_cuda else pages.zeros(count, like.dtype)


def _take_norms(parameter: Parameter) -> None:
    if parameter.norms is not None:
        torch.linalg.vector_norm(parameter.weights, dim=-1, out=parameter.norms)


PASSES: dict[type[nn.Module], type[Pass]] = dense_passes.PASSES | convolutional_passes.PASSES


def make_pass(layer: nn.Module, weight: Slot, bias: Slot) -> Pass:
    """Returns the pass of a layer's kind.

    Raises:
        ConfigError: the layer is of a kind that may couple the examples of a batch.
    """
    if type(layer) not in PASSES:
        raise ConfigError(
            "training: update: simultaneous shares one backward pass between the players, which "
            f"needs layers that treat each example by itself, got {type(layer).__name__}; "
            "use update: alternating"
        )
    return PASSES[type(layer)](weight, bias, layer)
