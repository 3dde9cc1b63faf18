"""The layers and networks of 2014; tensors in, tensors out.

Images are rows of D = C H W pixels, so that every network has the same signature; the convolutional
layers reshape inside.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

import ganbench_kernels

ACTIVATIONS = {"linear": nn.Identity(), "relu": nn.ReLU(), "sigmoid": nn.Sigmoid()}


class Linear(nn.Module):
    """activation(x weight^T + bias), weight [out, in]."""

    def __init__(self, inputs: int, units: int, activation: str = "linear") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(units, inputs))
        self.bias = nn.Parameter(torch.zeros(units))
        self.outputs, self.activation_name = units, activation
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n units"]:
        return self.activation(functional.linear(x, self.weight, self.bias))


class Maxout(nn.Module):
    """max_p (x weight_p^T + bias_p), weight [pieces, units, in]."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.outputs = units
        self.weight = nn.Parameter(torch.zeros(pieces, units, inputs))
        self.bias = nn.Parameter(torch.zeros(pieces, units))

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n units"]:
        return ganbench_kernels.maxout(x, self.weight, self.bias)


class ConvolutionalMaxout(nn.Module):
    """Convolution, maximum over channel pieces, overlapping max-pool; rows in, rows out.

    Args:
        in_shape: channels, height and width of the input rows.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        channels: int,
        pieces: int,
        kernel_size: int,
        padding: int,
        pool_size: int,
        pool_stride: int,
    ) -> None:
        super().__init__()
        self.in_shape, self.pieces, self.padding = in_shape, pieces, padding
        self.pool_size, self.pool_stride = pool_size, pool_stride
        filters = channels * pieces
        self.weight = nn.Parameter(torch.zeros(filters, in_shape[0], kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(filters))
        side = in_shape[1] + 2 * padding - kernel_size + 1
        # Partial windows count.
        pooled = -(-(side - pool_size) // pool_stride) + 1
        self.out_shape = (channels, pooled, pooled)
        self.outputs = channels * pooled**2

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        maps = functional.conv2d(
            x.view(-1, *self.in_shape), self.weight, self.bias, padding=self.padding
        )
        pooled = ganbench_kernels.maxout_pool2d(maps, self.pieces, self.pool_size, self.pool_stride)
        return pooled.flatten(1)


class TransposedConvolution(nn.Module):
    """Rows of [channels, size, size] features to rows of pixels, one bias per output pixel."""

    def __init__(
        self, channels: int, size: int, kernel_size: int, stride: int, out_channels: int
    ) -> None:
        super().__init__()
        self.in_shape, self.stride = (channels, size, size), stride
        side = (size - 1) * stride + kernel_size
        self.weight = nn.Parameter(torch.zeros(channels, out_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels, side, side))

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        maps = functional.conv_transpose2d(
            x.view(-1, *self.in_shape), self.weight, stride=self.stride
        )
        return (maps + self.bias).flatten(1)


class Generator(nn.Module):
    """Noise to images."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, noise: Float[Tensor, "n z"]) -> Float[Tensor, "n d"]:
        x = noise
        for layer in self.layers:
            x = layer(x)
        return x


class Discriminator(nn.Module):
    """Images to logits, with inverted dropout on every layer's input.

    Args:
        input_keep: keep probability of the first layer's input.
        hidden_keep: keep probability of every later layer's input.
    """

    def __init__(self, layers: Sequence[nn.Module], input_keep: float, hidden_keep: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.keep = [input_keep] + [hidden_keep] * (len(layers) - 1)

    def forward(
        self, images: Float[Tensor, "n d"], seed: Int64[Tensor, ""], offset: Int64[Tensor, ""]
    ) -> Float[Tensor, " n"]:
        """Returns logits: D(x) is their sigmoid.

        Args:
            images: rows of pixels.
            seed: key of the dropout masks.
            offset: the first of the `len(layers)` mask numbers that this call uses up.
        """
        x = images
        for number, (layer, keep) in enumerate(zip(self.layers, self.keep, strict=True)):
            x = layer(ganbench_kernels.dropout(x, keep, seed, offset + number))
        return x.squeeze(1)
