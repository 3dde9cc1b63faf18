"""The short benchmarks by which `ganbench bench compare` tells whether a revision got slower.

Run as a program, `python gate.py NAME...`, once per source tree in a process of its own; prints
JSON. The two packages come from the tree under test, so nothing else of this project is imported.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

BATCH, PIXELS, WHITE = 100, 784, 255.0
UNITS = 240
POINTS, CENTERS, BANDWIDTHS = 200, 2_000, 10
WARMUP, SAMPLED_S = 3, 1.0

Call = Callable[[], object]


def mnist_update() -> Call:
    """One training update of the paper's MNIST networks at batch 100."""
    import ganbench
    from ganbench.config import load_adversarial
    from ganbench.data.rows import Images
    from ganbench.training.loop import Run

    raw = torch.randint(0, 256, (1_000, 1, 28, 28), dtype=torch.uint8)
    images = Images(raw, WHITE, "unit_interval")
    config = Path(ganbench.__file__).parents[1] / "configs" / "experiments" / "mnist.yaml"
    run = Run(load_adversarial(config), [0], images, images.rows(), 1)
    index = torch.arange(BATCH)
    return lambda: run.update(index.unsqueeze(0))


def dropout() -> Call:
    """The masks of an update of MNIST's discriminator: its input's and its two hidden layers'."""
    import ganbench_kernels

    shapes = [torch.Size((1, 2 * BATCH, width)) for width in (PIXELS, UNITS, UNITS)]
    seed, offset, like = torch.tensor([7]), torch.tensor(0), torch.zeros(())
    keeps = 0.8, 0.5, 0.5
    return lambda: ganbench_kernels.dropout_factors(shapes, keeps, seed, offset, like)


def parzen() -> Call:
    """Log-likelihoods of some rows at ten bandwidths."""
    import ganbench_kernels

    points, centers = torch.rand(POINTS, PIXELS), torch.rand(CENTERS, PIXELS)
    sigmas = torch.logspace(-1, 0, BANDWIDTHS)
    return lambda: ganbench_kernels.parzen_log_likelihood(points, centers, sigmas)


BENCHMARKS: dict[str, Callable[[], Call]] = {
    "mnist_update": mnist_update,
    "dropout": dropout,
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
