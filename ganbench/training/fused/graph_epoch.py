"""An epoch whose updates a GPU makes by itself, by replaying one recorded update."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int64
from torch import Tensor

from ganbench import seeding
from ganbench.training import schedules
from ganbench.training.fused import engine
from ganbench.training.fused.replay import GraphInputs, Replay
from ganbench.training.sampling import draw_noise

if TYPE_CHECKING:
    from ganbench.training.loop import Run


def replay_epoch(run: "Run", order: Int64[Tensor, "s images"]) -> engine.Outcome:
    """Makes an epoch's updates on the device.

    The last update may be shorter: it runs by itself and reports gradient norms.
    """
    # All but the last update are of one shape, so that one recorded update serves them.
    counters, count = run.counters, run.batches - 1
    done = count * run.settings.batch_size
    inputs = graph_inputs(run, order[:, :done].unflatten(1, (count, -1)))
    # A phase records once; its later epochs write new values into the same device tensors.
    if run.recorded is None:
        run.recorded = Replay(
            run.generator, run.discriminator, run.train, run.mask_seeds, run.settings,
            run.sums, run.add, inputs,
        )  # fmt: skip
    run.recorded.start_epoch(inputs)
    run.recorded.run(count)
    # The counters never left the host: they move on by as many updates as were replayed.
    counters.batch += count
    counters.phase_updates += count
    counters.updates += count
    last = order[:, done:]
    return run.update(last, inputs.noise[:, -1, : last.shape[1]])


def graph_inputs(run: "Run", order: Int64[Tensor, "s batches n"]) -> GraphInputs:
    """What an epoch's updates read, noise drawn on the device included."""
    counters, settings, device = run.counters, run.settings, run.device
    size = run.batches * settings.batch_size
    # Drawn on the device from the epoch's own stream: copying it over would take longer than
    # the updates that read it.
    noise = []
    for seed in run.seeds:
        key = seeding.stream_seed(seed, "noise", counters.epoch + 1)
        stream = torch.Generator(device).manual_seed(key)
        noise.append(draw_noise(run.experiment, size, stream))
    offset = counters.updates * engine.masks_per_update(run.discriminator.networks[0])
    rate = schedules.learning_rate(settings, counters.phase_updates, run.batches)
    decay = schedules.decay(settings, counters.phase_epoch, run.batches)
    momentum = schedules.momentum(settings, counters.phase_epoch + 1)
    return GraphInputs(
        order.to(device),
        torch.stack(noise).unflatten(1, (run.batches, -1)),
        torch.zeros(1, dtype=torch.int64, device=device),
        torch.tensor(offset, device=device),
        torch.tensor(rate, dtype=torch.float64, device=device),
        torch.tensor(decay, dtype=torch.float64, device=device),
        torch.tensor(momentum, device=device),
    )
