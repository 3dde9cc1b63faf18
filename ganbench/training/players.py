"""The networks of one player, one a seed: parameters, momentum, and how they move."""

from collections.abc import Sequence
from functools import cache
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

import ganbench_kernels
from ganbench.config import Precision
from ganbench.models import Discriminator, Generator, Linear, Maxout
from ganbench.training.passes import Pass, Rates, Slot, make_pass

# Elements of a piece of a weight matrix that fits a core's cache beside its momentum.
CHUNK = 1 << 17
Network = TypeVar("Network", Generator, Discriminator)


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
        self.weights = torch.cat([value.flatten() for value in stacked])
        self.velocity = torch.zeros_like(self.weights)
        low = precision == "bfloat16"
        self.compute = self.weights.to(torch.bfloat16) if low else self.weights
        whole = low or self.weights.is_cuda
        self.gradient = torch.empty_like(self.compute) if whole else None
        self.values, self.velocities = self._split(self.weights), self._split(self.velocity)
        for s, network in enumerate(networks):
            for parameter, value in zip(network.parameters(), self.values, strict=True):
                parameter.data = value[s]
        self.bounds = self._bounds()
        self.passes = self._passes()
        self.chunks = self._chunks()
        for chunk in self.chunks:
            _take_norms(chunk)
        self._bound()
        self.refresh()

    def accelerate(self, rates: Rates, row_weight: Tensor | None = None) -> None:
        """Takes the last backward's gradients into momentum; see `Pass.accelerate`."""
        for one in self.passes:
            if self.gradient is None:
                one.accelerate(rates, row_weight)
            else:
                one.gradients(row_weight)

    def norm(self, row_weight: Tensor | None = None) -> Float[Tensor, " s"]:
        """Returns the L2 norm of all gradients of the last backward together, for each network."""
        norms = [
            gradient.flatten(1).double().norm(dim=1)
            for one in self.passes
            for gradient in one.gradients(row_weight)
        ]
        return torch.stack(norms).norm(dim=0)

    def move(self, rates: Rates) -> None:
        """Moves the weights along the momentum and bounds the norms of incoming weights."""
        if self.weights.is_cuda:
            assert self.gradient is not None
            gradients = self._split(self.gradient.to(self.weights.dtype))
            ganbench_kernels.sgd_momentum_max_norm_(
                self.values, self.velocities, gradients, *rates, self.bounds
            )
            self.refresh()
            return
        if self.gradient is None:
            for chunk in self.chunks:
                chunk.weights.add_(chunk.velocity)
                _take_norms(chunk)
        else:
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
        norms = [chunk.norms for chunk in self.chunks if chunk.norms is not None]
        if self.bound is None or not bool((torch.cat(norms) > self.bound).any()):
            return
        for chunk in self.chunks:
            if chunk.norms is not None:
                factor = (self.bound / chunk.norms).clamp_(max=1)
                chunk.weights.mul_(factor.unsqueeze(-1))
        self.refresh()

    def refresh(self) -> None:
        """Rounds the weights anew to what products read; needed after writing to `values`."""
        if self.compute is not self.weights:
            self.compute.copy_(self.weights)

    def _split(self, flat: Tensor) -> list[Tensor]:
        parts = flat.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _chunks(self) -> list[Chunk]:
        """Pieces that stay in the cache between two visits; whole ones where one visit is all."""
        chunks = []
        parts = self.values, self.velocities, self._split(self.compute)
        for *tensors, gradient, bound in zip(*parts, self._gradients(), self.bounds, strict=True):
            rows = [tensor.flatten(0, -2) for tensor in tensors]
            step = len(rows[0])
            if gradient is None:
                step = max(1, CHUNK // rows[0].shape[1])
            for start in range(0, len(rows[0]), step):
                weights, velocity, compute = (row[start : start + step] for row in rows)
                norms = None if bound is None else weights.new_empty(len(weights))
                whole = None if gradient is None else gradient.flatten(0, -2)
                chunks.append(Chunk(weights, velocity, whole, compute, norms))
        return chunks

    def _gradients(self) -> Sequence[Tensor | None]:
        return [None] * len(self.values) if self.gradient is None else self._split(self.gradient)

    def _passes(self) -> list[Pass]:
        slots = map(Slot, self._split(self.compute), self.velocities, self._gradients())
        # Every layer has a weight and a bias, in this order.
        pairs = zip(*[iter(slots)] * 2, strict=True)
        layers = self.networks[0].layers
        return [make_pass(layer, *pair) for layer, pair in zip(layers, pairs, strict=True)]


@cache
def _compiled_move():
    """Momentum, weights, their bfloat16 copy and norms in one pass over memory; eager takes six."""
    return torch.compile(_move, dynamic=False, fullgraph=True)


def _move(chunks: list[Chunk], rate: Tensor, momentum: Tensor) -> None:
    for chunk in chunks:
        assert chunk.gradient is not None
        chunk.velocity.mul_(momentum).sub_(chunk.gradient.to(chunk.weights.dtype) * rate)
        chunk.weights.add_(chunk.velocity)
        chunk.compute.copy_(chunk.weights)
        if chunk.norms is not None:
            chunk.norms.copy_(torch.linalg.vector_norm(chunk.weights, dim=-1))


def _take_norms(chunk: Chunk) -> None:
    if chunk.norms is not None:
        torch.linalg.vector_norm(chunk.weights, dim=-1, out=chunk.norms)
