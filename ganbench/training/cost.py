"""What a run will cost, counted from its settings: arithmetic, memory traffic, time and disk."""

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganbench.catalogue import DATASETS
from ganbench.config import Adversarial
from ganbench.config.layers import LayerCost, Shape
from ganbench.errors import ConfigError

FLOAT_BYTES = 4
# An update reads and writes weights and velocities, writes gradients and reads them again.
UPDATE_PASSES = 6
CHECKPOINTS_KEPT = 2
SAMPLES = 10_000
# What the driver, the library's workspaces and the likelihood's tiles leave of a GPU's memory.
USABLE = 0.9
INDEX_BYTES = 8


@dataclass(frozen=True)
class Cost:
    """What one seed of an experiment needs.

    Attributes:
        memory_bytes: of weights, velocities, gradients, the best generator and an update's maps.
        updates: in all phases.
        flops_per_update: of the matrix products and convolutions of one simultaneous update.
        parameters: of both networks.
        disk_bytes: of its results and, while it runs, its checkpoints.
    """

    memory_bytes: int
    updates: int
    flops_per_update: int
    parameters: int
    disk_bytes: int

    def seconds(self, rates: "Rates") -> float:
        """Returns a rough training time on a machine of such rates."""
        traffic = UPDATE_PASSES * FLOAT_BYTES * self.parameters
        return self.updates * (
            self.flops_per_update / rates.flops_per_second + traffic / rates.bytes_per_second
        )


@dataclass(frozen=True)
class Rates:
    """What a device was just seen to do."""

    flops_per_second: float
    bytes_per_second: float


def cost(experiment: Adversarial) -> Cost:
    """Returns what one seed needs, the last phase's networks standing for all.

    Products of an update, for batch N: the generator's forward pass, weight and input gradients;
    the discriminator's on real and on fake images; and its input gradients for the generator.
    """
    facts = DATASETS[experiment.dataset]
    images, shape = facts.images, facts.shape
    settings = experiment.training
    front = [layer for phase in settings.phases for layer in reversed(phase.generator_front)]
    noise_dim = experiment.generator.noise_dim
    generator = _layers([*reversed(front), *experiment.generator.layers], (noise_dim, 1, 1), shape)
    discriminator = _layers(experiment.discriminator.layers, shape, shape)
    inner = 3 * _products(generator) - generator[0].products
    outer = 2 * (3 * _products(discriminator) - discriminator[0].products)
    hidden = _products(discriminator)
    sizes = [sum(layer.parameters for layer in net) for net in (generator, discriminator)]
    pixels = math.prod(shape)
    held = CHECKPOINTS_KEPT * (3 * sizes[0] + 2 * sizes[1]) + 2 * sizes[0] + 2 * SAMPLES * pixels
    # Real and fake images pass the discriminator; every map has a gradient.
    maps = 2 * (_outputs(generator) + 2 * _outputs(discriminator))
    maps *= min(settings.batch_size, images)
    return Cost(
        memory_bytes=FLOAT_BYTES * (4 * sizes[0] + 3 * sizes[1] + maps),
        updates=settings.epochs * math.ceil(images / settings.batch_size),
        flops_per_update=2 * settings.batch_size * (inner + outer + hidden),
        parameters=sum(sizes),
        disk_bytes=FLOAT_BYTES * held,
    )


def measure_rates(device: str, seconds: float = 0.3) -> Rates:
    """Returns what one thread (or the GPU) does in matrix products and in copies, right now.

    Args:
        device: a torch device.
        seconds: how long each of the two is tried.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, b = (torch.rand(size, 1200, device=device) for size in (200, 1200))
    flops = 2 * 200 * 1200 * 1200 * _per_second(lambda: a @ b, seconds, device)
    source, target = (torch.zeros(16_000_000, device=device) for _ in range(2))
    copied = 2 * FLOAT_BYTES * len(source)
    rate = copied * _per_second(lambda: target.copy_(source), seconds, device)
    torch.set_num_threads(threads)
    return Rates(flops, rate)


def _per_second(call, seconds: float, device: str) -> float:
    call()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        call()
        if device != "cpu":
            torch.cuda.synchronize()
        done += 1
    return done / (time.perf_counter() - started)


def _products(layers: list[LayerCost]) -> int:
    return sum(layer.products for layer in layers)


def _outputs(layers: list[LayerCost]) -> int:
    return sum(layer.outputs for layer in layers)


def _layers(settings: Sequence[Any], inputs: Shape, image: Shape) -> list[LayerCost]:
    """What each layer of a network costs, walking from its input shape."""
    costs, shape = [], inputs
    for layer in settings:
        costs.append(layer.cost(shape, image))
        shape = costs[-1].shape
    return costs


def check_memory(experiment: Adversarial, device: str, where: Path) -> None:
    """Refuses networks that this machine cannot hold.

    Args:
        experiment: its settings.
        device: "cpu" or "cuda".
        where: the settings' file.

    Raises:
        ConfigError: says how many gigabytes they would take.
    """
    needed, there = cost(experiment).memory_bytes, machine_bytes(device)
    if needed > there:
        raise ConfigError(
            f"{where}: its networks would take {_gigabytes(needed)}, this machine has "
            f"{_gigabytes(there)}; lower units, channels, pieces, noise_dim, padding or batch_size"
        )


def seeds_at_once(experiment: Adversarial, device: str) -> int:
    """Returns how many seeds the machine's memory holds side by side, at least one.

    Beside `cost(experiment).memory_bytes` each seed has, on a GPU, the noise and the order of the
    epoch that it trains and of the next; the training images are there once.
    """
    facts, on_gpu = DATASETS[experiment.dataset], device.startswith("cuda")
    shared = FLOAT_BYTES * facts.images * math.prod(facts.shape)
    inputs = facts.images * (FLOAT_BYTES * experiment.generator.noise_dim + INDEX_BYTES)
    each = cost(experiment).memory_bytes + (2 * inputs if on_gpu else 0)
    return max(1, int((USABLE * machine_bytes(device) - shared) // each))


def machine_bytes(device: str) -> int:
    """Returns the memory of the machine, or of its GPU."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e15 else f"{count / 1e9:.0e} GB"
