"""The simultaneous update of dense networks on a GPU, by this project's Triton kernels.

The same mathematics as `engine.update`, in the same order, without gradient norms; about twenty
launches instead of three hundred. Every number that changes from update to update is read from the
device, so that the whole update can be recorded as a CUDA graph.
"""

from typing import Any

import torch
from torch import Tensor

from ganbench.config import Training
from ganbench.models import Discriminator, Generator, Linear, Maxout
from ganbench.training.fused.players import Player
from ganbench_kernels.dense_update import launch
from ganbench_kernels.dense_update.launch import Batched, Layer
from ganbench_kernels.reference import Dropout


def fits(generator: Player[Generator], discriminator: Player[Discriminator]) -> bool:
    """Returns whether both networks are of layers that `DenseUpdate` knows."""
    *hidden, last = discriminator.networks[0].layers
    return (
        all(isinstance(layer, Linear) for layer in generator.networks[0].layers)
        and bool(hidden)
        and all(
            isinstance(layer, Maxout) and len(layer.bias) <= launch.MAX_PIECES for layer in hidden
        )
        and isinstance(last, Linear)
        and (last.outputs, last.activation_name) == (1, "linear")
        and generator.weights.dtype == torch.float32
    )


class DenseUpdate:
    """Updates of S pairs of players from an epoch's inputs on the device.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        images: all training images as rows, on the device.
        seeds: keys of the dropout masks.
        settings: objective, precision and schedules.
        sums: float64 [S, 4], to which losses and mean probabilities are added.
        order: training images of each minibatch [S, batches, N].
        noise: z of each minibatch [S, more, N, Z].
    """

    def __init__(
        self,
        generator: Player[Generator],
        discriminator: Player[Discriminator],
        images: Tensor,
        seeds: Tensor,
        settings: Training,
        sums: Tensor,
        order: Tensor,
        noise: Tensor,
    ) -> None:
        self.images, self.seeds, self.settings, self.sums = images, seeds, settings, sums
        self.order, self.noise = order, noise
        self.players = generator, discriminator
        device = images.device
        self.batch = torch.zeros(1, dtype=torch.int64, device=device)
        self.keeps = discriminator.networks[0].keep
        self.places = torch.arange(len(self.keeps), device=device)
        self.offsets = torch.zeros_like(self.places)
        self.rate = torch.zeros((), dtype=torch.float64, device=device)
        rate, momentum = torch.zeros(2, device=device).unbind()
        self.rates = rate, momentum
        limits = settings.learning_rate_decay, settings.learning_rate_floor
        decay, floor = torch.tensor(limits, dtype=torch.float64, device=device).unbind()
        self.limits = decay, floor
        self.bounds = [_Bounds(player, settings.precision) for player in self.players]
        self.layers = [bounds.layers for bounds in self.bounds]
        layers = generator.networks[0].layers
        self.activations = [layer.activation_name for layer in layers if isinstance(layer, Linear)]
        self._allocate(order.shape[-1])

    def _allocate(self, count: int) -> None:
        """Activations and gradients, written over by every update."""

        def rows(number: int, *size: int) -> Tensor:
            return like.new_empty(len(self.seeds), number, *size)

        like = self.players[0].compute

        generator, discriminator = self.layers
        self.outputs = [rows(count, layer.sizes[2]) for layer in generator]
        self.generator_grads = [torch.empty_like(out) for out in self.outputs]
        # What each layer of D reads: reals, then fakes, dropped out.
        self.inputs = [rows(2 * count, layer.sizes[3]) for layer in discriminator]
        self.discriminator_grads = [torch.empty_like(x) for x in self.inputs[1:]]
        self.which = [torch.empty_like(x, dtype=torch.uint8) for x in self.inputs[1:]]
        like = self.images
        self.logits, self.row_weight, self.slope = rows(2 * count), rows(2 * count), rows(count)

    def start_epoch(self, offset: Tensor, rate: Tensor, decay: Tensor, momentum: Tensor) -> None:
        """Sets what the epoch's first update reads, besides its order and noise.

        Args:
            offset: of the first dropout mask, int64, 0-d.
            rate: learning rate, float64, 0-d.
            decay: divides it after each update, float64, 0-d.
            momentum: 0-d.
        """
        self.batch.zero_()
        self.offsets.copy_(self.places + offset)
        self.rate.copy_(rate)
        self.limits[0].copy_(decay)
        self.rates[0].copy_(rate)
        self.rates[1].copy_(momentum)

    def update(self) -> None:
        """Makes the next update and moves on to the minibatch after it."""
        self._forward()
        self._backward_discriminator()
        self._backward_generator()
        for bounds in self.bounds:
            bounds.apply()
        masks = len(self.keeps)
        launch.advance(
            self.batch, self.offsets, self.rate, self.rates[0],
            self.limits[0], self.limits[1], masks,
        )  # fmt: skip

    def _mask(self, number: int) -> Dropout:
        """The dropout of the input of D's layer `number`."""
        return Dropout(self.keeps[number], self.seeds, self.offsets[number])

    def _forward(self) -> None:
        """Fakes and reals through D, whose last layer is updated with the losses."""
        precision, mask = self.settings.precision, self._mask(0)
        launch.gather(self.images, self.order, self.batch, self.inputs[0], mask)
        x: Tensor | Batched = Batched(self.noise, self.batch)
        for number, layer in enumerate(self.layers[0]):
            out, last = self.outputs[number], number == len(self.layers[0]) - 1
            # The fakes go where D reads them as soon as they are made.
            copy = (self.inputs[0], mask) if last else None
            launch.linear_forward(layer, x, self.activations[number], out, precision, copy)
            x = out
        *hidden, head = self.layers[1]
        for number, layer in enumerate(hidden):
            tensors = self.inputs[number], self.inputs[number + 1], self.which[number]
            launch.maxout_forward(layer, *tensors, precision, self._mask(number + 1))
        launch.head(
            head, self.inputs[-1], self.logits, self.row_weight, self.slope,
            self.discriminator_grads[-1], self.sums, self.rates,
            self.players[1].bound, self.settings.objective,
        )  # fmt: skip

    def _backward_discriminator(self) -> None:
        """From the unit cotangent of each logit down to the fakes.

        A layer's weights move only after its input's gradient has been taken with them.
        """
        precision, count = self.settings.precision, self.order.shape[-1]
        for number in reversed(range(len(self.layers[1]) - 1)):
            layer, grad = self.layers[1][number], self.discriminator_grads[number]
            routing = {"which": self.which[number], "keep": self.keeps[number + 1]}
            if number:
                below = self.discriminator_grads[number - 1]
                launch.input_gradient(layer, grad, below, precision, **routing)
            else:
                # Each player's slope comes in here: only fakes reach the generator.
                launch.input_gradient(
                    layer, grad, self.generator_grads[-1], precision, **routing,
                    first_row=count, slope=self.slope, mask=self._mask(0),
                    activated=(self.outputs[-1], self.activations[-1]),
                )  # fmt: skip
            self._move(layer, grad, self.inputs[number], **routing, row_weight=self.row_weight)

    def _backward_generator(self) -> None:
        precision = self.settings.precision
        for number in reversed(range(len(self.layers[0]))):
            layer, grad = self.layers[0][number], self.generator_grads[number]
            x: Tensor | Batched = Batched(self.noise, self.batch)
            if number:
                x = self.outputs[number - 1]
                activated = x, self.activations[number - 1]
                below = self.generator_grads[number - 1]
                launch.input_gradient(layer, grad, below, precision, activated=activated)
            self._move(layer, grad, x)

    def _move(self, layer: Layer, grad: Tensor, x: Tensor | Batched, **routing: Any) -> None:
        """Moves a layer's weights, which nothing of this update reads any more."""
        launch.weight_update(layer, grad, x, self.rates, self.settings.precision, **routing)


class _Bounds:
    """One player's layers as the kernels take them, and the bound on their units' norms."""

    def __init__(self, player: Player, precision: str) -> None:
        self.player = player
        device = player.weights.device
        pairs = list(zip(player.values[::2], player.values[1::2], strict=True))
        velocities = list(zip(player.velocities[::2], player.velocities[1::2], strict=True))
        # D's last layer, of one unit, bounds itself.
        bounded = [player.bound is not None and weight.shape[-2] > 1 for weight, _ in pairs]
        rounded = [parameter.compute for parameter in player.parameters]
        blocks = [launch.square_blocks(weight, precision) for weight, _ in pairs]
        units = [weight.shape[:-1].numel() for weight, _ in pairs]
        sizes = [
            count * parts if is_bounded else 0
            for count, parts, is_bounded in zip(units, blocks, bounded, strict=True)
        ]
        self.squares = torch.zeros(sum(sizes), device=device)
        self.blocks = max(blocks)
        self.layers, rows = [], []
        parts = self.squares.split(sizes)
        for number, ((weight, bias), (weight_velocity, bias_velocity)) in enumerate(
            zip(pairs, velocities, strict=True)
        ):
            squares = parts[number] if bounded[number] else None
            copies = rounded[2 * number], rounded[2 * number + 1]
            moving = weight, bias, weight_velocity, bias_velocity
            self.layers.append(Layer(*moving, *copies, squares))
            if squares is not None:
                unit = torch.arange(units[number])
                length = weight.shape[-1]
                start = (weight.data_ptr() - player.weights.data_ptr()) // weight.element_size()
                first = sum(sizes[:number])
                rows.append(
                    torch.stack(
                        [
                            start + unit * length,
                            torch.full_like(unit, length),
                            first + unit * blocks[number],
                            torch.full_like(unit, blocks[number]),
                        ]
                    )
                )
        self.table: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        if rows:
            starts, lengths, firsts, counts = torch.cat(rows, 1).to(device)
            self.table = starts, lengths.int(), firsts, counts.int()

    def apply(self) -> None:
        """Bounds the norms that `launch.weight_update` left."""
        if self.table:
            assert self.player.bound is not None
            launch.bound(
                self.player.weights, self.player.compute, self.squares, self.table,
                self.player.bound, self.blocks,
            )  # fmt: skip
