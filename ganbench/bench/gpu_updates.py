"""`ganbench bench gpu-updates`: one training update of every network on a GPU.

Ours is replayed as a graph, as training does, for one seed and for ten side by side. Beside it: the
loop that most GAN code has, as it is and under torch.compile with CUDA graphs, for one seed; and
the update's matrix products alone, replayed as a graph. Images are random: no data set is needed.
"""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ganbench.bench import floor, gpu_timing, rivals, updates
from ganbench.bench.kernels import PRECISIONS, machine, require_gpu
from ganbench.config import Adversarial
from ganbench.errors import GanbenchError
from ganbench.training.fused import graph_epoch
from ganbench.training.fused.replay import Replay

NETWORKS = ("mnist", "tfd", "cifar10_fc", "cifar10_conv")
SEEDS = (1, 10)
# One sample is this many updates, one after the other.
UPDATES, SAMPLES = 20, 10
# A GPU is lent for minutes. What is not begun by then has a row that says so.
MINUTES = 7.0
DEVICE = "cuda"


class Timed(NamedTuple):
    """What is timed: `call` makes `UPDATES` updates, `before` what it needs and no clock sees."""

    call: Callable[[], Any]
    before: Callable[[], Any] = lambda: None
    impl: str = "torch"


def main(out: Path, minutes: float = MINUTES) -> None:
    """Measures and writes a row at a time into updates.jsonl in a folder.

    Args:
        out: the folder.
        minutes: begins no measurement after so many.

    Raises:
        GanbenchError: there is no GPU, or a measurement failed; the others are written all the
            same.
    """
    require_gpu("bench gpu-updates")
    path = out / "updates.jsonl"
    failed = gpu_timing.write_rows(measure(time.monotonic() + 60 * minutes), path)
    if failed:
        raise GanbenchError(
            f"bench gpu-updates: {failed} measurements failed or had no time left; "
            f"see 'failed' in {path}"
        )


def measure(end: float) -> Iterator[dict[str, Any]]:
    """Yields one row per update, network, precision and number of seeds; times in microseconds.

    Args:
        end: of the time there is, by `time.monotonic`.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    common = machine(DEVICE)
    for update, network, precision, seeds in _plan():
        row = {"update": update, "network": network, "precision": precision, "seeds": seeds}
        if time.monotonic() >= end:
            yield row | {"failed": "no time left"}
            continue
        setting = PRECISIONS[precision][1]
        torch.set_float32_matmul_precision(setting)
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        try:
            settings = updates.experiment(network, precision=precision)
            timed = MAKERS[update](settings, precision, seeds)
            if timed:
                yield row | {"impl": timed.impl} | _microseconds(timed) | common
        # Out of memory, or a compiler that fails: the rows after it are measured all the same.
        except RuntimeError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            yield row | {"failed": lines[0]}
        # Networks, graphs and their memory of one row are nothing to the next.
        torch.compiler.reset()
        gc.collect()
        torch.cuda.empty_cache()
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def _plan() -> Iterator[tuple[str, str, str, int]]:
    """In order of value: compiling the rivals takes minutes."""
    for update in MAKERS:
        for network, precision, seeds in product(NETWORKS, PRECISIONS, SEEDS):
            # Nobody's loop trains several seeds at once.
            if seeds == 1 or update in ("ours", "floor"):
                yield update, network, precision, seeds


def _ours(settings: Adversarial, precision: str, seeds: int) -> Timed:
    del precision
    size = settings.training.batch_size
    data = updates.images(settings, count=(UPDATES + 1) * size)
    data = replace(data, raw=data.raw.to(DEVICE))
    run = updates.run(settings, data, DEVICE, seeds)
    order = torch.arange(UPDATES * size).reshape(UPDATES, size).expand(seeds, -1, -1)
    inputs, again = (graph_epoch.graph_inputs(run, order) for _ in range(2))
    recorded = Replay(
        run.generator, run.discriminator, run.train, run.mask_seeds, run.settings,
        run.sums, run.add, inputs,
    )  # fmt: skip
    # The same minibatches in every sample: `again` is written over what replaying has moved on.
    return Timed(
        lambda: recorded.run(UPDATES),
        lambda: recorded.start_epoch(again),
        "dense_update" if recorded.dense else "engine",
    )


def _floor(settings: Adversarial, precision: str, seeds: int) -> Timed | None:
    data = updates.images(settings, count=1)
    wanted = floor.products(settings, prod(data.shape))
    if wanted is None:
        return None  # convolutions have no floor here
    dtype, many = PRECISIONS[precision][0], (seeds,) if seeds > 1 else ()
    replay = gpu_timing.as_graph(floor.floor(wanted, dtype, many, DEVICE))
    return Timed(lambda: [replay() for _ in range(UPDATES)])


def _plain(
    settings: Adversarial, precision: str, seeds: int, mode: str | None = None
) -> Timed:  # fmt: skip
    assert seeds == 1
    data = updates.images(settings)
    loop = rivals.PlainLoop(
        settings, data.rows(), data.shape, compiled=mode is not None,
        autocast=precision == "bfloat16", device=DEVICE, mode=mode,
    )  # fmt: skip
    index = updates.batch(settings).to(DEVICE)
    return Timed(lambda: [loop.update(index) for _ in range(UPDATES)])


def _compiled(settings: Adversarial, precision: str, seeds: int) -> Timed:
    return _plain(settings, precision, seeds, "reduce-overhead")


MAKERS: dict[str, Callable[[Adversarial, str, int], Timed | None]] = {
    "ours": _ours,
    "floor": _floor,
    "plain": _plain,
    "compiled": _compiled,
}


def _microseconds(timed: Timed) -> dict[str, float]:
    """Quantiles of the time of one update."""
    # The first samples compile, record and warm up.
    samples = gpu_timing.samples_ms(timed.call, timed.before, SAMPLES)
    quantiles = np.quantile(samples, (0.2, 0.5, 0.8)) * 1e3 / UPDATES
    return dict(zip(("p20_us", "p50_us", "p80_us"), quantiles.tolist(), strict=True))
