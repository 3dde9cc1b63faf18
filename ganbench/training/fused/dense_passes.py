"""Forward and backward of fully connected layers, plain and maxout, of S networks at once."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganbench import models
from ganbench.training.fused.passes import Pass, Rates, step, store_gradient

aten = torch.ops.aten
# Numbers of a block of weights that is moved while it is in the cache, and its fewest rows: every
# product of a block packs its other factor anew.
BLOCK, BLOCK_ROWS = 3 << 17, 256


# torch.compile's own float32 linear layer: oneDNN's product, where torch.mm takes MKL's, which is
# slower on AMD's processors: with it an update takes 5 % longer on MNIST, 20 % on CIFAR-10. None
# where torch is built without it.
ONEDNN_LINEAR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
NO_FUSED_ACTIVATION = "none", [], ""


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

    def _input_gradient(self, rows: slice) -> Float[Tensor, "s m inputs"]:
        delta, weight = self.delta[:, rows], self.weight.value.flatten(1, -2)
        if takes_onednn(delta):
            return ONEDNN_LINEAR(delta[0], weight[0].T, None, *NO_FUSED_ACTIVATION).unsqueeze(0)
        out = self.buffers.take("input_gradient", (*delta.shape[:-1], weight.shape[-1]), delta)
        _product_(out, delta, weight)
        return out

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        """Weight gradient delta^T diag(row_weight) x, bias gradient row_weight delta."""
        delta, x, bias = self._weighted(row_weight)
        # Into the slot where one is kept (bfloat16, GPU), else into a buffer that is used again.
        out = self.weight.gradient
        if out is None:
            out = self.buffers.take("gradient", self.weight.value.shape, x)
        _product_(out.flatten(1, -2), delta.mT, x)
        return out, store_gradient(self.bias, bias)

    def step(self, rates: Rates, row_weight: Float[Tensor, "s n"] | None) -> None:
        """As `Pass.step`, but no gradient exists, and blocks of rows stay in the cache."""
        delta, x, bias = self._weighted(row_weight)
        step(self.bias, bias, rates)
        momentum, learning_rate = float(rates.momentum), float(rates.learning_rate)
        slot = self.weight
        norms = [None] * len(x) if slot.norms is None else slot.norms.flatten(1)
        values, velocities = slot.value.flatten(1, -2), slot.velocity.flatten(1, -2)
        # A block of rows is multiplied, moved and measured while it is in the cache: reading the
        # weights from memory once instead of three times is most of the gain.
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

    def _backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
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

    def _backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        if self.affine.dtype == torch.bfloat16 and not self.affine.is_cuda:
            self.delta = _compiled_to_winners()(self.affine, self.out, grad).flatten(-2)
            return
        _first_winners_(self.affine, self.out.unsqueeze(-2))
        self.delta = self.affine.mul_(grad.unsqueeze(-2)).flatten(-2)


# The pass of each kind of layer.
PASSES: dict[type[nn.Module], type[Pass]] = {models.Linear: Affine, models.Maxout: Maxout}


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


def _blocks(rows: int, width: int) -> Iterator[slice]:
    """Yields blocks of about as many rows each: small for the cache, large for a product."""
    count = -(-rows // max(BLOCK_ROWS, BLOCK // width))
    size = -(-rows // count)
    for start in range(0, rows, size):
        yield slice(start, start + size)


@cache
def _compiled_to_winners():
    """In bfloat16 pieces tie often, and eager passes over it are slow: one compiled loop."""
    return torch.compile(_to_winners, dynamic=False, fullgraph=True)


def _to_winners(affine: Tensor, largest: Tensor, grad: Tensor) -> Tensor:
    """The gradient of pieces [..., P, U]: the output's where a piece is the first that won."""
    gradients, free = [], torch.ones_like(grad, dtype=torch.bool)
    for piece in affine.unbind(-2):
        won = (piece == largest) & free
        free = free & ~won
        gradients.append(torch.where(won, grad, 0))
    return torch.stack(gradients, -2)


def _first_winners_(affine: Tensor, largest: Tensor) -> None:
    """Overwrites pieces [..., P, U] with 1 for the first that is `largest`, else 0.

    Ties are rare except in units that see only zeros, and looking for them first is three times as
    fast as breaking them everywhere. On a GPU the look would wait for the device, so there it is
    left out.
    """
    won = affine.eq_(largest)
    if not won.is_cuda and won.sum(dtype=torch.float32) <= largest.numel():
        return
    before = won[..., 0, :].clone()
    for piece in range(1, won.shape[-2]):
        here = won[..., piece, :]
        here.sub_(here * before)
        before.add_(here)
