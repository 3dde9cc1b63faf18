"""Forward and backward of each layer by hand, for S networks of one architecture at once.

A pass keeps what its backward needs. The discriminator's backward starts from the unit cotangent,
dlogit_i/dlogit_i = 1 for every example i, so that one backward serves both players: `row_weight`
turns it into the discriminator's gradient where it meets the weights. That holds as long as no
layer couples examples, so only the layers below may take part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

import ganbench_kernels
from ganbench import models
from ganbench.errors import ConfigError

aten = torch.ops.aten
ALL = slice(None)
# Numbers of a block of weights that is moved while it is in the cache, and its fewest rows: every
# product of a block packs its other factor anew.
BLOCK, BLOCK_ROWS = 3 << 17, 256


# torch.compile's own float32 linear layer: oneDNN's product, where torch.mm takes MKL's, which is
# slower on AMD's processors: with it an update takes 5 % longer on MNIST, 20 % on CIFAR-10. None
# where torch is built without it.
ONEDNN_LINEAR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
NO_FUSED_ACTIVATION = "none", [], ""


@dataclass
class Slot:
    """A layer's weight or bias for S networks, all of one shape [S, ...].

    Attributes:
        value: what products read; of the compute dtype.
        velocity: momentum, of the master dtype.
        gradient: where the update wants the gradient; None where it goes into the velocity at once,
            and the value, which is the master copy then, moves with it.
        norms: L2 norm of each unit's incoming weights [S, ...], where it is bounded.
    """

    value: Tensor
    velocity: Tensor
    gradient: Tensor | None
    norms: Tensor | None = None


class Rates(NamedTuple):
    """Step sizes of one update: numbers, or 0-d tensors where a recorded graph reads them."""

    learning_rate: float | Tensor
    momentum: float | Tensor


class Buffers:
    """Outputs of a layer's products, allocated once and used again by every update."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def take(self, name: str, size: tuple[int, ...], like: Tensor) -> Tensor:
        """Returns a tensor to overwrite: the same one for the same name and size.

        A shorter last minibatch has buffers of its own, since a recorded CUDA graph goes on writing
        to those of a whole one.
        """
        key = name, tuple(size)
        if key not in self.taken:
            self.taken[key] = like.new_empty(size)
        return self.taken[key]


@dataclass
class Pass:
    """One layer of S networks: its parameters and what its last forward saw."""

    weight: Slot
    bias: Slot
    layer: Any
    buffers: Buffers = field(init=False, default_factory=Buffers)
    x: Tensor = field(init=False)
    out: Tensor = field(init=False)
    delta: Tensor = field(init=False)

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n outputs"]:
        """Returns the layer's output."""
        raise NotImplementedError

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        """Takes the gradient of the output, which it may overwrite, to before the activation."""
        raise NotImplementedError

    def input_gradient(self, rows: slice = ALL) -> Float[Tensor, "s m inputs"]:
        """Returns the gradient of those rows of x."""
        raise NotImplementedError

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        """Returns the gradients of weight and bias, in their slots if those want them.

        Args:
            row_weight: multiplies each row's part; None is 1.
        """
        raise NotImplementedError

    def step(self, rates: Rates, row_weight: Float[Tensor, "s n"] | None) -> None:
        """Does v <- m v - lr g, w <- w + v for weight and bias."""
        gradients = self.gradients(row_weight)
        for slot, gradient in zip((self.weight, self.bias), gradients, strict=True):
            _step(slot, gradient, rates)


class Dense(Pass):
    """A layer with one product: weight [S, ..., in], bias [S, ...]."""

    def _product(self, x: Tensor) -> Tensor:
        self.x = x
        weight, bias = self.weight.value.flatten(1, -2), self.bias.value.flatten(1)
        if takes_onednn(x):
            return ONEDNN_LINEAR(x[0], weight[0], bias[0], *NO_FUSED_ACTIVATION).unsqueeze(0)
        out = self.buffers.take("product", (*x.shape[:-1], weight.shape[-2]), x)
        # Without a batch where there is one network, which is the faster call.
        if len(x) == 1:
            torch.addmm(bias[0], x[0], weight[0].T, out=out[0])
        else:
            torch.baddbmm(bias.unsqueeze(1), x, weight.mT, out=out)
        return out

    def input_gradient(self, rows: slice = ALL) -> Float[Tensor, "s m inputs"]:
        delta, weight = self.delta[:, rows], self.weight.value.flatten(1, -2)
        if takes_onednn(delta):
            return ONEDNN_LINEAR(delta[0], weight[0].T, None, *NO_FUSED_ACTIVATION).unsqueeze(0)
        out = self.buffers.take("input_gradient", (*delta.shape[:-1], weight.shape[-1]), delta)
        _product_(out, delta, weight)
        return out

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        """Weight gradient delta^T diag(row_weight) x, bias gradient row_weight delta."""
        delta, x, bias = self._weighted(row_weight)
        out = self.weight.gradient
        if out is None:
            out = self.buffers.take("gradient", self.weight.value.shape, x)
        _product_(out.flatten(1, -2), delta.mT, x)
        return out, _store_gradient(self.bias, bias)

    def step(self, rates: Rates, row_weight: Float[Tensor, "s n"] | None) -> None:
        """As `Pass.step`, but no gradient exists, and blocks of rows stay in the cache."""
        delta, x, bias = self._weighted(row_weight)
        _step(self.bias, bias, rates)
        momentum, learning_rate = float(rates.momentum), float(rates.learning_rate)
        slot = self.weight
        norms = [None] * len(x) if slot.norms is None else slot.norms.flatten(1)
        values, velocities = slot.value.flatten(1, -2), slot.velocity.flatten(1, -2)
        for value, velocity, norm, left, right in zip(
            values, velocities, norms, delta, x, strict=True
        ):
            for rows in _blocks(*value.shape):
                velocity[rows].addmm_(left.T[rows], right, beta=momentum, alpha=-learning_rate)
                value[rows].add_(velocity[rows])
                if norm is not None:
                    torch.linalg.vector_norm(value[rows], dim=-1, out=norm[rows])

    def _weighted(self, row_weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The factors of the weight's gradient, and the bias's gradient."""
        delta, x = self.delta, self.x
        if row_weight is None:
            return delta, x, delta.sum(1).view_as(self.bias.value)
        row_weight = row_weight.to(x.dtype)
        bias = torch.bmm(row_weight.unsqueeze(1), delta).view_as(self.bias.value)
        # Into the smaller of the two factors.
        if x.shape[-1] < delta.shape[-1]:
            weighted = self.buffers.take("weighted", x.shape, x)
            return delta, torch.mul(x, row_weight.unsqueeze(-1), out=weighted), bias
        return delta * row_weight.unsqueeze(-1), x, bias


class Affine(Dense):
    """activation(x weight^T + bias) of S networks; weight [S, out, in], bias [S, out]."""

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n units"]:
        self.out = self._product(x)
        if self.layer.activation_name == "relu":
            self.out.relu_()
        elif self.layer.activation_name == "sigmoid":
            self.out.sigmoid_()
        return self.out

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        if self.layer.activation_name == "relu":
            aten.threshold_backward.grad_input(grad, self.out, 0, grad_input=grad)
        elif self.layer.activation_name == "sigmoid":
            aten.sigmoid_backward.grad_input(grad, self.out, grad_input=grad)
        self.delta = grad


class Maxout(Dense):
    """max_p (x weight_p^T + bias_p) of S networks; weight [S, P, U, in], bias [S, P, U]."""

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n units"]:
        self.affine = self._product(x).unflatten(-1, self.bias.value.shape[1:])
        out = self.buffers.take("out", (*x.shape[:-1], self.affine.shape[-1]), x)
        self.out = torch.amax(self.affine, -2, out=out)
        return self.out

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        if self.affine.dtype == torch.bfloat16 and not self.affine.is_cuda:
            self.delta = _compiled_to_winners()(self.affine, self.out, grad).flatten(-2)
            return
        _first_winners_(self.affine, self.out.unsqueeze(-2))
        self.delta = self.affine.mul_(grad.unsqueeze(-2)).flatten(-2)


class ConvolutionalMaxout(Pass):
    """Convolution and pooled maxout of S networks, one after the other.

    weight [S, C P, in, k, k], bias [S, C P].
    """

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n outputs"]:
        layer = self.layer
        self.x = x.unflatten(-1, layer.in_shape)
        self.maps = [
            functional.conv2d(one, weight, bias, padding=layer.padding).requires_grad_()
            for one, weight, bias in zip(self.x, self.weight.value, self.bias.value, strict=True)
        ]
        with torch.enable_grad():
            self.pooled = [
                ganbench_kernels.maxout_pool2d(
                    maps, layer.pieces, layer.pool_size, layer.pool_stride
                )
                for maps in self.maps
            ]
        return torch.stack([pooled.detach().flatten(1) for pooled in self.pooled])

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        deltas = [
            torch.autograd.grad(pooled, maps, one.unflatten(-1, self.layer.out_shape))[0]
            for pooled, maps, one in zip(self.pooled, self.maps, grad, strict=True)
        ]
        self.delta = torch.stack(deltas)

    def input_gradient(self, rows: slice = ALL) -> Float[Tensor, "s m inputs"]:
        found = [self._backward(s, delta, rows, 0) for s, delta in enumerate(self.delta[:, rows])]
        return torch.stack(found).flatten(2)

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        delta = self.delta
        if row_weight is not None:
            delta = delta * row_weight.to(delta.dtype)[..., None, None, None]
        weights = [self._backward(s, delta[s], ALL, 1) for s in range(len(delta))]
        return _store_gradient(self.weight, torch.stack(weights)), _store_gradient(
            self.bias, delta.sum((1, 3, 4))
        )

    def _backward(self, s: int, delta: Tensor, rows: slice, which: int) -> Tensor:
        """Gradient of the input (which = 0) or the weight (1) of network s."""
        padding = [self.layer.padding] * 2
        wanted = [which == 0, which == 1, False]
        arguments = None, [1, 1], padding, [1, 1], False, [0, 0], 1, wanted
        return aten.convolution_backward(delta, self.x[s, rows], self.weight.value[s], *arguments)[
            which
        ]


class TransposedConvolution(Pass):
    """Transposed convolution with one bias per pixel of S networks, one after the other.

    weight [S, in, out, k, k], bias [S, out, side, side].
    """

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n outputs"]:
        self.x = x.unflatten(-1, self.layer.in_shape)
        maps = [
            functional.conv_transpose2d(one, weight, stride=self.layer.stride)
            for one, weight in zip(self.x, self.weight.value, strict=True)
        ]
        return torch.stack(maps).add_(self.bias.value.unsqueeze(1)).flatten(2)

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        self.delta = grad.unflatten(-1, self.bias.value.shape[1:])

    def input_gradient(self, rows: slice = ALL) -> Float[Tensor, "s m inputs"]:
        found = [
            functional.conv2d(delta, weight, stride=self.layer.stride)
            for delta, weight in zip(self.delta[:, rows], self.weight.value, strict=True)
        ]
        return torch.stack(found).flatten(2)

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        assert row_weight is None, "a generator's rows have no weights"
        stride = [self.layer.stride] * 2
        arguments = None, stride, [0, 0], [1, 1], True, [0, 0], 1, [False, True, False]
        weights = [
            aten.convolution_backward(delta, x, weight, *arguments)[1]
            for delta, x, weight in zip(self.delta, self.x, self.weight.value, strict=True)
        ]
        return _store_gradient(self.weight, torch.stack(weights)), _store_gradient(
            self.bias, self.delta.sum(1)
        )


PASSES: dict[type[nn.Module], type[Pass]] = {
    models.Linear: Affine,
    models.Maxout: Maxout,
    models.ConvolutionalMaxout: ConvolutionalMaxout,
    models.TransposedConvolution: TransposedConvolution,
}


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


def _product_(out: Tensor, left: Tensor, right: Tensor) -> None:
    """out <- left right, of S pairs of matrices."""
    if len(left) == 1:
        torch.mm(left[0], right[0], out=out[0])
    else:
        torch.bmm(left, right, out=out)


def takes_onednn(x: Tensor) -> bool:
    """Returns whether x [s, n, d] meets weights by oneDNN: one network in float32 on a CPU."""
    ours = len(x) == 1 and x.dtype == torch.float32 and not x.is_cuda
    return ours and ONEDNN_LINEAR is not None


def _step(slot: Slot, gradient: Tensor, rates: Rates) -> None:
    slot.velocity.mul_(rates.momentum).sub_(gradient * rates.learning_rate)
    slot.value.add_(slot.velocity)


def _blocks(rows: int, width: int) -> Iterator[slice]:
    """Yields blocks of about as many rows each: small for the cache, large for a product."""
    count = -(-rows // max(BLOCK_ROWS, BLOCK // width))
    size = -(-rows // count)
    for start in range(0, rows, size):
        yield slice(start, start + size)


def _store_gradient(slot: Slot, gradient: Tensor) -> Tensor:
    return gradient if slot.gradient is None else slot.gradient.copy_(gradient)


@cache
def _compiled_to_winners():
    """In bfloat16 pieces tie often, and eager passes over it are slow: one compiled loop."""
    return torch.compile(_to_winners, dynamic=False, fullgraph=True)


def _to_winners(affine: Tensor, largest: Tensor, grad: Tensor) -> Tensor:
    """The gradient of pieces [..., P, U]: the output's where a piece is the first that won."""
    found, free = [], torch.ones_like(grad, dtype=torch.bool)
    for piece in affine.unbind(-2):
        won = (piece == largest) & free
        free = free & ~won
        found.append(torch.where(won, grad, 0))
    return torch.stack(found, -2)


def _first_winners_(affine: Tensor, largest: Tensor) -> None:
    """Overwrites pieces [..., P, U] with 1 for the first that is `largest`, else 0.

    Ties are seldom, but for units that see only zeros: looking for them first is three times as
    fast as ruling them out. On a GPU looking would wait for it.
    """
    won = affine.eq_(largest)
    if not won.is_cuda and won.sum(dtype=torch.float32) <= largest.numel():
        return
    before = won[..., 0, :].clone()
    for piece in range(1, won.shape[-2]):
        here = won[..., piece, :]
        here.sub_(here * before)
        before.add_(here)
