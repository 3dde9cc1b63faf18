"""The settings of each kind of layer, what it costs and what tables call it.

Costs are counted from settings, so that nothing needs to be built to know them.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ganbench.config.frozen import Frozen

Activation = Literal["linear", "relu", "sigmoid"]
Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class LayerCost:
    """What a layer computes and holds.

    Attributes:
        products: multiply-adds per image.
        parameters: trainable numbers.
        outputs: numbers per image, before the largest of the pieces is taken.
        shape: of what comes out.
    """

    products: int
    parameters: int
    outputs: int
    shape: Shape


def _dense_cost(inputs: Shape, units: int, pieces: int = 1) -> LayerCost:
    weights = math.prod(inputs) * units * pieces
    return LayerCost(weights, weights + units * pieces, units * pieces, (units, 1, 1))


class Linear(Frozen):
    """A fully connected layer."""

    kind: Literal["linear"]
    units: PositiveInt = Field(description="Number of outputs.")
    activation: Activation = Field("linear", description="What follows the affine map.")
    irange: PositiveFloat | None = Field(
        None, description="Weights start uniform in (-irange, irange)."
    )
    sparse_weights: PositiveInt | None = Field(
        None, description="Instead of irange: standard-normal weights per unit, the others 0."
    )
    bias: float | Literal["marginals"] = Field(
        0.0, description="Initial bias; 'marginals' is the logit of the training set's pixel means."
    )

    @model_validator(mode="after")
    def _one_initialisation(self) -> Self:
        if (self.irange is None) == (self.sparse_weights is None):
            raise ValueError("give exactly one of 'irange' and 'sparse_weights'")
        return self

    @property
    def words(self) -> str:
        """The layer's name in tables."""
        return f"{'ReLU' if self.activation == 'relu' else self.activation} {self.units}"

    def cost(self, inputs: Shape, image: Shape) -> LayerCost:
        """Returns what it costs on inputs of a shape, in a network of images of a shape."""
        del image
        return _dense_cost(inputs, self.units)


class Maxout(Frozen):
    """A fully connected layer of units that output the largest of their affine pieces."""

    kind: Literal["maxout"]
    units: PositiveInt = Field(description="Number of outputs.")
    pieces: PositiveInt = Field(description="Affine pieces of each unit.")
    irange: PositiveFloat = Field(description="Weights start uniform in (-irange, irange).")

    @property
    def words(self) -> str:
        """The layer's name in tables."""
        return f"maxout {self.units} x {self.pieces}"

    def cost(self, inputs: Shape, image: Shape) -> LayerCost:
        """Returns what it costs on inputs of a shape, in a network of images of a shape."""
        del image
        return _dense_cost(inputs, self.units, self.pieces)


class ConvolutionalMaxout(Frozen):
    """A convolution, the maximum over channel pieces, then overlapping spatial max-pooling."""

    kind: Literal["convolutional_maxout"]
    channels: PositiveInt = Field(description="Output channels.")
    pieces: PositiveInt = Field(description="Affine pieces of each channel.")
    kernel_size: PositiveInt = Field(description="Side of the square filters, pixels.")
    padding: NonNegativeInt = Field(description="Zeros around the input, pixels.")
    pool_size: PositiveInt = Field(description="Side of the pooling window, pixels.")
    pool_stride: PositiveInt = Field(description="Step between pooling windows, pixels.")
    irange: PositiveFloat = Field(description="Weights start uniform in (-irange, irange).")

    @model_validator(mode="after")
    def _windows_touch(self) -> Self:
        if self.pool_stride > self.pool_size:
            raise ValueError("'pool_stride' larger than 'pool_size' would skip pixels")
        return self

    @property
    def words(self) -> str:
        """The layer's name in tables."""
        return f"convolutional maxout {self.channels} x {self.pieces}"

    def cost(self, inputs: Shape, image: Shape) -> LayerCost:
        """Returns what it costs on inputs of a shape, in a network of images of a shape."""
        del image
        side = inputs[1] + 2 * self.padding - self.kernel_size + 1
        # Partial windows count.
        pooled = -(-(side - self.pool_size) // self.pool_stride) + 1
        maps = self.channels * self.pieces
        weights = maps * inputs[0] * self.kernel_size**2
        shape = (self.channels, pooled, pooled)
        return LayerCost(weights * side**2, weights + maps, maps * side**2, shape)


class TransposedConvolution(Frozen):
    """Maps [channels, size, size] features to an image; one bias per output pixel."""

    kind: Literal["transposed_convolution"]
    channels: PositiveInt = Field(description="Input channels.")
    size: PositiveInt = Field(description="Input height and width.")
    kernel_size: PositiveInt = Field(description="Side of the square filters, pixels.")
    stride: PositiveInt = Field(description="Step between input pixels in the output, pixels.")
    irange: PositiveFloat = Field(description="Weights start uniform in (-irange, irange).")

    @property
    def words(self) -> str:
        """The layer's name in tables."""
        return f"transposed convolution of {self.channels} maps"

    def cost(self, inputs: Shape, image: Shape) -> LayerCost:
        """Returns what it costs on inputs of a shape, in a network of images of a shape."""
        del inputs
        weights = self.channels * image[0] * self.kernel_size**2
        # One bias per output pixel.
        pixels = image[0] * ((self.size - 1) * self.stride + self.kernel_size) ** 2
        return LayerCost(weights * self.size**2, weights + pixels, pixels, image)


GeneratorLayer = Annotated[Linear | TransposedConvolution, Field(discriminator="kind")]
DiscriminatorLayer = Annotated[Maxout | ConvolutionalMaxout | Linear, Field(discriminator="kind")]
