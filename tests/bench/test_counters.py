"""Exact counts: FLOPs and bytes of one update, and no growth over many."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganbench.bench import counters, rivals, updates
from ganbench.bench.floor import products
from ganbench.catalogue import DATASETS

# FLOPs of the matrix products and convolutions of one update at the experiment's own batch size.
FLOPS = {
    "mnist": 2_764_128_400,
    "tfd": 72_249_440_400,
    "cifar10_fc": 93_409_920_400,
    "cifar10_conv": 169_104_015_872,
}
PLAIN_MNIST_FLOPS = 3_312_432_000
# Counts are proportional to the batch, and the large networks take seconds at theirs.
SMALL_BATCH = 2
MNIST_BYTES = 10_000_000
MANY = 500
PEAK_BYTES = 1_000_000_000
JOB = """
from pathlib import Path
from ganbench.bench import updates
from ganbench.evaluation import parzen
from ganbench.seeding import generator
settings = updates.experiment("mnist")
run = updates.run(settings, updates.images(settings, 50_000))
for _ in range(5):
    run.update(updates.batch(settings).unsqueeze(0))
samples = run.sample(parzen.GAN2014.samples, generator(0, "sampling"))
parzen.choose_bandwidth(run.validation, samples, parzen.GAN2014.sigmas)
# Not getrusage, whose maximum a process takes over from the one that started it.
status = Path("/proc/self/status").read_text()
print(1024 * int(status.partition("VmHWM:")[2].split()[0]))
"""


def test_counter_knows_products_of_every_kind() -> None:
    a, b, c = torch.rand(2, 3), torch.rand(3, 5), torch.zeros(2, 5)
    assert counters.matrix_flops(lambda: a @ b) == 2 * 2 * 3 * 5
    assert counters.matrix_flops(lambda: torch.mm(a, b, out=c)) == 2 * 2 * 3 * 5
    assert counters.matrix_flops(lambda: c.addmm_(a, b, beta=0.5)) == 2 * 2 * 3 * 5
    assert counters.matrix_flops(lambda: a + a) == 0


def test_memory_counts_what_is_asked_for_and_what_is_kept() -> None:
    held = []
    assert counters.memory(lambda: held.append(torch.empty(1000))) == (4000, 4000)
    assert counters.memory(lambda: torch.empty(1000)) == (4000, 0)


@pytest.mark.parametrize("name", FLOPS)
def test_flops_of_an_update(name: str) -> None:
    own = updates.experiment(name).training.batch_size
    settings = updates.experiment(name, batch_size=SMALL_BATCH)
    update = updates.our_update(settings, updates.images(settings, count=10))
    assert counters.matrix_flops(update) * own == FLOPS[name] * SMALL_BATCH


def test_plain_loop_takes_more() -> None:
    settings = updates.experiment("mnist")
    data = updates.images(settings)
    loop = rivals.PlainLoop(settings, data.rows(), data.shape)
    flops = counters.matrix_flops(lambda: loop.update(updates.batch(settings)))
    assert flops == PLAIN_MNIST_FLOPS


@pytest.mark.parametrize("name", ["mnist", "tfd", "cifar10_fc"])
def test_floor_is_the_update_without_logit_and_biases(name: str) -> None:
    settings = updates.experiment(name)
    floor = products(settings, math.prod(DATASETS[settings.dataset].shape))
    assert floor is not None
    assert len(floor) == 14
    rows = 2 * settings.training.batch_size
    maxout = settings.discriminator.layers[0]
    logit = 3 * 2 * rows * maxout.units
    biases = 2 * rows * (2 * maxout.units * maxout.pieces + 1)
    assert sum(product.flops for product in floor) + logit + biases == FLOPS[name]


def test_bytes_of_an_update_are_the_same_every_time() -> None:
    settings = updates.experiment("mnist")
    update = updates.our_update(settings, updates.images(settings))
    first, second = counters.memory(update), counters.memory(update)
    assert first == second
    assert first.kept == 0
    assert first.allocated <= MNIST_BYTES


def test_many_updates_keep_no_memory() -> None:
    settings = updates.experiment("digits")
    data = updates.images(settings)
    update = updates.our_update(settings, data)

    def repeat(count: int) -> None:
        for _ in range(count):
            update()

    # The last update of an epoch works out gradient norms, for which it takes memory once.
    epoch = len(data) // settings.training.batch_size
    assert counters.memory(lambda: repeat(MANY), before=lambda: repeat(epoch)).kept == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_mnist_job_stays_below_a_gigabyte() -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < PEAK_BYTES


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_waits_for_the_gpu_do_not_grow_with_the_updates_of_an_epoch() -> None:
    settings = updates.experiment("digits")
    waits = []
    for count in (10, 20):
        data = updates.images(settings, count * settings.training.batch_size)
        run = updates.run(settings, data, device="cuda")
        run.run_epoch(lambda: None)
        launches, waited = counters.launches_and_waits(lambda run=run: run.run_epoch(lambda: None))
        assert launches > 0
        waits.append(waited)
    assert waits[0] == waits[1]
