"""The short benchmarks by which `ganbench bench compare` tells whether a revision got slower.

Run as a program, `python gate.py NAME...`, once per source tree in a process of its own; prints
JSON. The two packages come from the tree under test, so nothing else of this project is imported.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

BATCH, PIXELS, WHITE = 100, 784, 255.0
UNITS, PIECES = 240, 5
POINTS, CENTERS, BANDWIDTHS = 200, 2_000, 10
WARMUP, SAMPLED_S = 3, 1.0

Call = Callable[[], object]


def mnist_update() -> Call:
    """One training update of the paper's MNIST networks at batch 100."""
    import ganbench
    from ganbench.config import load_experiment
    from ganbench.data.rows import Images
    from ganbench.training.loop import Run

    raw = torch.randint(0, 256, (1_000, 1, 28, 28), dtype=torch.uint8)
    images = Images(raw, WHITE, "unit_interval")
    config = Path(ganbench.__file__).parents[1] / "configs" / "experiments" / "mnist.yaml"
    run = Run(load_experiment(config), [0], images, images.rows(), 1)
    index = torch.arange(BATCH)
    return lambda: run.update(index.unsqueeze(0))


def maxout() -> Call:
    """Forward and backward of the discriminator's first layer on [real; fake]."""
    import ganbench_kernels

    x = torch.rand(2 * BATCH, PIXELS)
    weight = torch.randn(PIECES, UNITS, PIXELS) / math.sqrt(PIXELS)
    bias, ones = torch.zeros(PIECES, UNITS), torch.ones(2 * BATCH, UNITS)
    inputs = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    return lambda: torch.autograd.grad(ganbench_kernels.maxout(x, weight, bias), inputs, ones)


def parzen() -> Call:
    """Log-likelihoods of some rows at ten bandwidths."""
    import ganbench_kernels

    points, centers = torch.rand(POINTS, PIXELS), torch.rand(CENTERS, PIXELS)
    sigmas = torch.logspace(-1, 0, BANDWIDTHS)
    return lambda: ganbench_kernels.parzen_log_likelihood(points, centers, sigmas)


BENCHMARKS: dict[str, Callable[[], Call]] = {
    "mnist_update": mnist_update,
    "maxout": maxout,
    "parzen": parzen,
}


def quickest(make: Callable[[], Call]) -> float:
    """Returns the shortest of a second's samples, seconds of processor time."""
    call = make()
    for _ in range(WARMUP):
        call()
    samples: list[float] = []
    while sum(samples) < SAMPLED_S:
        start = time.process_time()
        call()
        samples.append(time.process_time() - start)
    return min(samples)


def main(names: list[str]) -> None:
    """Measures the named benchmarks and prints seconds, or why the tree cannot run one."""
    torch.set_num_threads(1)
    import ganbench
    from ganbench.errors import GanbenchError

    seconds: dict[str, float | str] = {}
    for name in names:
        try:
            seconds[name] = quickest(BENCHMARKS[name])
        # What another version of the same interface raises.
        except (ImportError, AttributeError, TypeError, GanbenchError) as error:
            seconds[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"package": ganbench.__file__, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1:])
