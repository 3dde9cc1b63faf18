"""An epoch's updates on a GPU without the CPU: recorded once as a CUDA graph and replayed.

Whatever changes from update to update is a tensor on the device: batch index, mask offset, learning
rate. A Python number would be frozen into the graph, and every replay would repeat its masks. The
CPU waits for the GPU once an epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ganbench.config import Training
from ganbench.data.rows import Images
from ganbench.training.fused import engine
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench_kernels.dispatch import choose, record_choice

# Updates made one by one before a graph is recorded, so that every lazy initialisation is over.
WARM_UP = 3


@dataclass
class GraphInputs:
    """What an epoch's updates of S seeds read; all on the device.

    Attributes:
        order: training images of each minibatch.
        noise: z of each minibatch, and of one more.
        batch: which minibatch comes next.
        offset: of the next update's first dropout mask.
        learning_rate: of the next update, in float64: its decay of 4e-6 is 34 steps of float32.
        decay: divides the learning rate after each update of this epoch.
        momentum: of this epoch.
    """

    order: Int64[Tensor, "s batches n"]
    noise: Float[Tensor, "s more n z"]
    batch: Int64[Tensor, " 1"]
    offset: Int64[Tensor, ""]
    learning_rate: Float64[Tensor, ""]
    decay: Float64[Tensor, ""]
    momentum: Float[Tensor, ""]

    def write(self, other: "GraphInputs") -> None:
        """Takes over another epoch's values in place: a recorded graph reads these tensors."""
        for name, value in vars(self).items():
            value.copy_(getattr(other, name))


class Replay:
    """Updates of both players, recorded once and replayed.

    Dense networks are updated by the Triton kernels of `ganbench_kernels.dense_update` where Triton
    is chosen, other networks by `engine.update`.

    Args:
        generator: updated in place.
        discriminator: updated in place.
        images: the training images, on the device.
        seeds: keys of the dropout masks.
        settings: objective, precision and schedules.
        sums: float64 [S, 4], to which an update's losses and mean probabilities are added.
        on_outcome: adds an outcome to `sums`.
        inputs: the first epoch's.
    """

    def __init__(
        self,
        generator: Player,
        discriminator: Player,
        images: Images,
        seeds: Int64[Tensor, " s"],
        settings: Training,
        sums: Float64[Tensor, "s 4"],
        on_outcome: Callable[[engine.Outcome], None],
        inputs: GraphInputs,
    ) -> None:
        self.players, self.images, self.seeds = (generator, discriminator), images, seeds
        self.settings, self.on_outcome, self.inputs = settings, on_outcome, inputs
        self.masks = engine.masks_per_update(discriminator.networks[0])
        self.graph: torch.cuda.CUDAGraph | None = None
        self.dense = None
        if choose("dense_update", "auto", generator.weights, generator.weights.numel()) == "triton":
            # Triton is optional, so that its modules are imported only where they run.
            from ganbench.training.fused import dense

            if dense.fits(generator, discriminator):
                self.dense = dense.DenseUpdate(
                    generator, discriminator, images.rows(), seeds, settings, sums,
                    inputs.order, inputs.noise,
                )  # fmt: skip
                return
        record_choice("dense_update", "reference")

    def start_epoch(self, inputs: GraphInputs) -> None:
        """Takes over what an epoch's updates read."""
        if inputs is not self.inputs:
            self.inputs.write(inputs)
        if self.dense:
            self.dense.start_epoch(
                inputs.offset, inputs.learning_rate, inputs.decay, inputs.momentum
            )

    def run(self, count: int) -> None:
        """Makes the next `count` updates of the epoch."""
        if not self.seeds.is_cuda:
            for _ in range(count):
                self.update()
            return
        # Streams and graphs belong to the current GPU, which may be another than the tensors'.
        with torch.cuda.device_of(self.seeds):
            if self.graph is None:
                count -= self._record(min(WARM_UP, count))
            for _ in range(count):
                assert self.graph is not None
                self.graph.replay()

    def update(self) -> None:
        """Makes the next update and moves on to the minibatch after it."""
        if self.dense:
            self.dense.update()
            return
        inputs, settings = self.inputs, self.settings
        index = inputs.order.index_select(1, inputs.batch).squeeze(1)
        real = self.images.rows(index.flatten()).unflatten(0, index.shape)
        noise = inputs.noise.index_select(1, inputs.batch).squeeze(1)
        outcome = engine.update(
            *self.players,
            real,
            noise,
            engine.Masks(self.seeds, inputs.offset),
            settings.objective,
            Rates(inputs.learning_rate.float(), inputs.momentum),
        )
        self.on_outcome(outcome)
        inputs.batch.add_(1)
        inputs.offset.add_(self.masks)
        inputs.learning_rate.div_(inputs.decay)
        inputs.learning_rate.clamp_(min=settings.learning_rate_floor)

    def _record(self, warm_up: int) -> int:
        """Warms up by real updates, then records one, which does not run it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(warm_up):
                self.update()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.update()
        return warm_up
