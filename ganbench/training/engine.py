"""The simultaneous update of S seeds at once, with one backward pass for both players.

The simultaneous update shows both players the same fakes, masks and discriminator, and D has one
output for each example. So for example i every gradient below the logit is the same vector times
dL/dlogit_i, and the players differ by their dL/dlogit alone: one forward over [real; fake] and one
backward from the unit cotangent serve both. Each player's dL/dlogit comes in where the backward
meets D's weights or leaves D at the fakes; nothing is divided by their ratio, which would break at
confident logits and for hinge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import ganbench_kernels
from ganbench.config import Objective, Precision
from ganbench.models import Discriminator, Generator, Linear, Maxout
from ganbench.training.passes import ALL, Pass, Rates, Slot, make_pass

# Elements of a piece of a weight matrix that fits a core's cache beside its momentum.
CHUNK = 1 << 17
Network = TypeVar("Network", Generator, Discriminator)


class Masks(NamedTuple):
    """The dropout masks of one update: `seed` keys each run, `offset` numbers the first one."""

    seed: Int64[Tensor, " s"]
    offset: Int64[Tensor, ""]


@dataclass(frozen=True)
class Outcome:
    """What an update saw; gradient norms, where asked for, are before momentum."""

    discriminator_loss: Float[Tensor, " s"]
    generator_loss: Float[Tensor, " s"]
    real_logits: Float[Tensor, "s n"]
    fake_logits: Float[Tensor, "s n"]
    discriminator_norm: Float[Tensor, " s"] | None = None
    generator_norm: Float[Tensor, " s"] | None = None


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


def update(
    generator: Player[Generator],
    discriminator: Player[Discriminator],
    real: Float[Tensor, "s n d"],
    noise: Float[Tensor, "s n z"],
    masks: Masks,
    objective: Objective,
    rates: Rates,
    with_norms: bool = False,
) -> Outcome:
    """Moves both players of every seed by gradients at the same parameters, fakes and masks.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        real: a minibatch of training images for each seed.
        noise: z of as many fakes.
        masks: dropout of D.
        objective: see `ganbench_kernels.adversarial_loss`.
        rates: of both players.
        with_norms: whether to work out gradient norms.

    Source: the released code of 2014. Differs from Algorithm 1: D1.
    """
    with torch.no_grad():
        fake = noise.to(generator.compute.dtype)
        for one in generator.passes:
            fake = one.forward(fake)
        images = torch.cat([real.to(fake.dtype), fake], 1)
        factors = _dropout_factors(discriminator, images, masks)
        # A copy: the next update writes over the pass's output.
        logits = _logits(discriminator, images, factors)
        logits = logits.to(discriminator.weights.dtype, copy=True)
        count = real.shape[1]
        real_logits, fake_logits = logits[:, :count], logits[:, count:]
        d_loss, g_loss, slopes = ganbench_kernels.adversarial_loss_gradients(
            real_logits, fake_logits, objective
        )
        cotangent = _sample_cotangent(discriminator, factors, slice(count, None))
        row_weight = torch.cat([slopes[0], slopes[1]], 1)
        grad = cotangent.mul_(slopes[2].to(cotangent.dtype).unsqueeze(-1))
        for one in reversed(generator.passes):
            one.backward(grad)
            if one is not generator.passes[0]:
                grad = one.to_inputs()
        d_norm = discriminator.norm(row_weight) if with_norms else None
        g_norm = generator.norm() if with_norms else None
        discriminator.accelerate(rates, row_weight)
        generator.accelerate(rates)
        discriminator.move(rates)
        generator.move(rates)
        return Outcome(d_loss, g_loss, real_logits, fake_logits, d_norm, g_norm)


def _dropout_factors(
    player: Player[Discriminator], images: Tensor, masks: Masks
) -> list[Tensor | None]:
    """What each layer's input is multiplied by: 0 or 1 / keep; None where all is kept."""
    widths = [images.shape[-1], *(one.layer.outputs for one in player.passes[:-1])]
    shapes = [torch.Size((*images.shape[:-1], width)) for width in widths]
    return ganbench_kernels.dropout_factors(shapes, player.networks[0].keep, *masks, images)


def _logits(
    discriminator: Player[Discriminator], images: Tensor, factors: list[Tensor | None]
) -> Float[Tensor, "s n"]:
    x = images
    for one, factor in zip(discriminator.passes, factors, strict=True):
        x = one.forward(x if factor is None else x * factor)
    return x.squeeze(-1)


def _sample_cotangent(
    discriminator: Player[Discriminator], factors: list[Tensor | None], fakes: slice
) -> Float[Tensor, "s n d"]:
    """Returns dlogit_i/dimage_i of the fakes; the passes keep what D's gradient needs."""
    grad = torch.ones_like(discriminator.passes[-1].out)
    for number in reversed(range(len(factors))):
        rows = ALL if number else fakes
        discriminator.passes[number].backward(grad)
        grad = discriminator.passes[number].to_inputs(rows)
        factor = factors[number]
        if factor is not None:
            grad.mul_(factor[:, rows])
    return grad


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
