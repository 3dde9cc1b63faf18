"""Forward and backward of the convolutional layers, of S networks one after the other."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

import ganbench_kernels
from ganbench import models
from ganbench.training.fused.passes import ALL, Pass, store_gradient

aten = torch.ops.aten


class ConvolutionalMaxout(Pass):
    """Convolution and pooled maxout of S networks, one after the other.

    weight [S, C P, in, k, k], bias [S, C P].
    """

    def forward(self, x: Float[Tensor, "s n inputs"]) -> Float[Tensor, "s n outputs"]:
        layer = self.layer
        self.x = x.unflatten(-1, layer.in_shape)
        # The pooled maximum is differentiated by autograd, which therefore starts at its input.
        self.maps = [
            functional.conv2d(images, weight, bias, padding=layer.padding).requires_grad_()
            for images, weight, bias in zip(self.x, self.weight.value, self.bias.value, strict=True)
        ]
        with torch.enable_grad():
            self.pooled = [
                ganbench_kernels.maxout_pool2d(
                    maps, layer.pieces, layer.pool_size, layer.pool_stride
                )
                for maps in self.maps
            ]
        return torch.stack([pooled.detach().flatten(1) for pooled in self.pooled])

    def _backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        deltas = [
            torch.autograd.grad(pooled, maps, output.unflatten(-1, self.layer.out_shape))[0]
            for pooled, maps, output in zip(self.pooled, self.maps, grad, strict=True)
        ]
        self.delta = torch.stack(deltas)

    def _input_gradient(self, rows: slice) -> Float[Tensor, "s m inputs"]:
        gradients = [
            self._convolution_gradient(s, delta, rows, 0)
            for s, delta in enumerate(self.delta[:, rows])
        ]
        return torch.stack(gradients).flatten(2)

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        delta = self.delta
        if row_weight is not None:
            delta = delta * row_weight.to(delta.dtype)[..., None, None, None]
        # D's slopes weigh each example's part of the gradient before it is summed.
        weights = [self._convolution_gradient(s, delta[s], ALL, 1) for s in range(len(delta))]
        return store_gradient(self.weight, torch.stack(weights)), store_gradient(
            self.bias, delta.sum((1, 3, 4))
        )

    def _convolution_gradient(self, s: int, delta: Tensor, rows: slice, which: int) -> Tensor:
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
            functional.conv_transpose2d(features, weight, stride=self.layer.stride)
            for features, weight in zip(self.x, self.weight.value, strict=True)
        ]
        return torch.stack(maps).add_(self.bias.value.unsqueeze(1)).flatten(2)

    def _backward(self, grad: Float[Tensor, "s n outputs"]) -> None:
        self.delta = grad.unflatten(-1, self.bias.value.shape[1:])

    def _input_gradient(self, rows: slice) -> Float[Tensor, "s m inputs"]:
        gradients = [
            functional.conv2d(delta, weight, stride=self.layer.stride)
            for delta, weight in zip(self.delta[:, rows], self.weight.value, strict=True)
        ]
        return torch.stack(gradients).flatten(2)

    def gradients(self, row_weight: Float[Tensor, "s n"] | None) -> tuple[Tensor, Tensor]:
        assert row_weight is None, "a generator's rows have no weights"
        stride = [self.layer.stride] * 2
        arguments = None, stride, [0, 0], [1, 1], True, [0, 0], 1, [False, True, False]
        weights = [
            aten.convolution_backward(delta, x, weight, *arguments)[1]
            for delta, x, weight in zip(self.delta, self.x, self.weight.value, strict=True)
        ]
        return store_gradient(self.weight, torch.stack(weights)), store_gradient(
            self.bias, self.delta.sum(1)
        )


# The pass of each kind of layer.
PASSES: dict[type[nn.Module], type[Pass]] = {
    models.ConvolutionalMaxout: ConvolutionalMaxout,
    models.TransposedConvolution: TransposedConvolution,
}
