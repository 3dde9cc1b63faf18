"""The networks of one player, one a seed: parameters, momentum, and how they move."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

import ganbench_kernels
from ganbench.config import Precision
from ganbench.models import Discriminator, Generator, Linear, Maxout
from ganbench.training import pages
from ganbench.training.passes import Pass, Rates, Slot, make_pass

# Elements of a piece of a weight matrix that fits a core's cache beside its momentum.
CHUNK = 1 << 17
Network = TypeVar("Network", Generator, Discriminator)
Part = TypeVar("Part")


class Chunk(NamedTuple):
    """Rows of a parameter of S networks, and of what belongs to it; all are views."""

    weights: Tensor
    velocity: Tensor
    gradient: Tensor | None  # where the update wants it
    compute: Tensor
    norms: Tensor | None  # of each row, where it is bounded


class Player(Generic[Network]):
    """One player's networks, one a seed, with parameters and momentum in flat buffers.

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
        for s, network in enumerate(networks):
            for parameter, value in zip(network.parameters(), self.values, strict=True):
                parameter.data = value[s]
        self.bounds = self._bounds()
        self.passes = self._passes()
        self.chunks = self._chunks()
        for chunk in chain(*self.chunks):
            _take_norms(chunk)
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

        Where no gradient is in memory its weights move at once, while the momentum is in the cache.

        Args:
            number: of the layer, whose backward is done.
            rates: step sizes.
            row_weight: see `Pass.gradients`.
            norms: gets the L2 norms [S] of the layer's gradients.
        """
        one = self.passes[number]
        if norms is not None:
            gradients = one.gradients(row_weight)
            norms += [gradient.flatten(1).double().norm(dim=1) for gradient in gradients]
        if self.gradient is not None:
            one.gradients(row_weight)
            return
        one.accelerate(rates, row_weight)
        for chunk in self.chunks[number]:
            chunk.weights.add_(chunk.velocity)
            _take_norms(chunk)

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
            _compiled_move()(self.chunks, *map(torch.as_tensor, rates))
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
        """Scales down what is too long, by the chunks' norms."""
        bounded = [(chunk.weights, chunk.norms) for chunk in chain(*self.chunks)]
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

    def _chunks(self) -> list[list[Chunk]]:
        """Each layer in pieces that stay in the cache; whole where one visit is all."""
        parts = self.values, self.velocities, self._gradients(), self._split(self.compute)
        cut = [list(_cut(*part)) for part in zip(*parts, self.bounds, strict=True)]
        return [weight + bias for weight, bias in _pairs(cut)]

    def _gradients(self) -> Sequence[Tensor | None]:
        return [None] * len(self.values) if self.gradient is None else self._split(self.gradient)

    def _passes(self) -> list[Pass]:
        slots = map(Slot, self._split(self.compute), self.velocities, self._gradients())
        layers = zip(self.networks[0].layers, _pairs(slots), strict=True)
        return [make_pass(layer, *pair) for layer, pair in layers]


def _pairs(parts: Iterable[Part]) -> Iterator[tuple[Part, Part]]:
    """Every layer has a weight and a bias, in this order."""
    return zip(*[iter(parts)] * 2, strict=True)


def _cut(
    weights: Tensor, velocity: Tensor, gradient: Tensor | None, compute: Tensor, bound: float | None
) -> Iterator[Chunk]:
    """Rows of a parameter; all of them where the gradient is in memory."""
    weights, velocity, compute = (one.flatten(0, -2) for one in (weights, velocity, compute))
    count, width = weights.shape
    step = count
    if gradient is None:
        step = max(1, CHUNK // width)
    else:
        gradient = gradient.flatten(0, -2)
    for start in range(0, count, step):
        rows = slice(start, start + step)
        norms = None if bound is None else weights.new_empty(len(weights[rows]))
        yield Chunk(weights[rows], velocity[rows], gradient, compute[rows], norms)


@cache
def _compiled_move():
    """Momentum, weights, their bfloat16 copy and norms in one pass over memory; eager takes six."""
    return torch.compile(_move, dynamic=False, fullgraph=True)


def _move(layers: list[list[Chunk]], rate: Tensor, momentum: Tensor) -> None:
    for chunk in chain(*layers):
        assert chunk.gradient is not None
        chunk.velocity.mul_(momentum).sub_(chunk.gradient.to(chunk.weights.dtype) * rate)
        chunk.weights.add_(chunk.velocity)
        chunk.compute.copy_(chunk.weights)
        if chunk.norms is not None:
            chunk.norms.copy_(torch.linalg.vector_norm(chunk.weights, dim=-1))


def _zeros(count: int, like: Tensor) -> Tensor:
    return like.new_zeros(count) if like.is_cuda else pages.zeros(count, like.dtype)


def _take_norms(chunk: Chunk) -> None:
    if chunk.norms is not None:
        torch.linalg.vector_norm(chunk.weights, dim=-1, out=chunk.norms)
