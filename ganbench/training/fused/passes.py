"""What a layer's forward and backward share, written by hand for S networks of one architecture.

A pass keeps what its backward needs. The discriminator's backward starts from the unit cotangent,
dlogit_i/dlogit_i = 1 for every example i, so that one backward serves both players: `row_weight`
turns it into the discriminator's gradient where it meets the weights. That holds as long as no
layer couples examples, so only the layers of `dense_passes` and `convolutional_passes` may take
part.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

ALL = slice(None)


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
    learned: bool = field(init=False, default=False)  # since the last backward

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n outputs"]:
        """Returns the layer's output."""
        raise NotImplementedError

    def backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        """Backpropagates the output's gradient, which it may overwrite, through the activation."""
        self.learned = False
        self._backward(grad)

    def input_gradient(self, rows: slice = ALL) -> Float[Tensor, "s m inputs"]:
        """Returns the gradient of those rows of x.

        Raises:
            RuntimeError: the weights, which it needs as they were in the forward pass, have moved.
        """
        if self.learned:
            raise RuntimeError("input_gradient comes before learn, which moves the layer's weights")
        return self._input_gradient(rows)

    def _backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        raise NotImplementedError

    def _input_gradient(self, rows: slice) -> Float[Tensor, "s m inputs"]:
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
            step(slot, gradient, rates)


def step(slot: Slot, gradient: Tensor, rates: Rates) -> None:
    """Does v <- m v - lr g, w <- w + v."""
    slot.velocity.mul_(rates.momentum).sub_(gradient * rates.learning_rate)
    slot.value.add_(slot.velocity)


def store_gradient(slot: Slot, gradient: Tensor) -> Tensor:
    """Returns the gradient, in its slot where that wants it."""
    return gradient if slot.gradient is None else slot.gradient.copy_(gradient)
