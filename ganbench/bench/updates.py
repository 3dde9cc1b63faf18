"""One training update of an experiment, ours beside its rivals, on made-up images."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._dynamo.exc import BackendCompilerFailed

from ganbench.bench import rivals
from ganbench.bench.contest import Call, Contest
from ganbench.bench.floor import floor, products
from ganbench.catalogue import DATASETS
from ganbench.config import Adversarial, Linear, Maxout, load_adversarial
from ganbench.data.rows import Images
from ganbench.training.cost import cost
from ganbench.training.loop import Run

# Images to choose batches from; an update's time does not depend on what they show.
IMAGES = 1_000
# Validation images of the protocol of 2014.
MONITORED = 1_000
CONFIGS = Path(__file__).parents[2] / "configs" / "experiments"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WHITE = 255.0


# A large network's update takes seconds.
LARGE_FLOPS, ROUNDS, LARGE_ROUNDS = 10_000_000_000, 15, 3
# Training makes one update after the other: a single one among rivals' would find its weights out
# of the cache, whoever made it.
SAMPLE_S = 0.2


def contest(name: str, precision: str) -> Contest:
    """Returns an experiment's training update beside its rivals and its floor.

    Args:
        name: of a file in configs/experiments.
        precision: of our products; the rivals have their own.
    """
    settings = experiment(name, precision=precision)
    data = images(settings)
    calls, absent = rival_updates(settings, data)
    return Contest(
        "training update",
        name,
        our_update(settings, data),
        calls,
        LARGE_ROUNDS if cost(settings).flops_per_update > LARGE_FLOPS else ROUNDS,
        images=settings.training.batch_size,
        precision=precision,
        absent=absent,
        sample_s=SAMPLE_S,
        shapes=f"batch {settings.training.batch_size} x {math.prod(data.shape)}",
    )


def experiment(name: str, **training: Any) -> Adversarial:
    """Returns an experiment of the source tree; keywords replace its training settings."""
    loaded = load_adversarial(CONFIGS / f"{name}.yaml")
    return loaded.model_copy(update={"training": loaded.training.model_copy(update=training)})


def images(settings: Adversarial, count: int = IMAGES) -> Images:
    """Returns random images of the size of an experiment's data set."""
    shape = DATASETS[settings.dataset].shape
    stream = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=stream)
    return Images(raw, WHITE, settings.preprocessing)


def run(settings: Adversarial, data: Images, device: str = "cpu", seeds: int = 1) -> Run:
    """Returns the training of the first seeds, side by side, at its start."""
    return Run(settings, range(seeds), data, data.rows(slice(MONITORED)), 1, device)


def batch(settings: Adversarial) -> Tensor:
    """Returns the indices of a minibatch."""
    return torch.arange(settings.training.batch_size)


def our_update(settings: Adversarial, data: Images) -> Call:
    """Returns a call without arguments: our next update."""
    ours, index = run(settings, data), batch(settings).unsqueeze(0)
    return lambda: ours.update(index)


def rival_updates(settings: Adversarial, data: Images) -> tuple[dict[str, Call], dict[str, str]]:
    """Returns the rivals' updates by name, and why others are missing.

    `floor` is no rival but the update's matrix products alone, in the experiment's precision.
    """
    rows, index = data.rows(), batch(settings)
    calls: dict[str, Call] = {
        name: lambda update=update: update(index)
        for name, update in rivals.torch_rivals(settings, rows, data.shape).items()
    }
    absent: dict[str, str] = {}
    try:
        calls["compiled"]()
    # torch 2.13's compiler fails on the plain convolutional networks; the others still compete.
    except BackendCompilerFailed as error:
        del calls["compiled"]
        reason = f"{type(error.inner_exception).__name__}: {error.inner_exception}"
        absent["compiled"] = f"torch.compile fails ({reason.splitlines()[0]})"
    reason = no_jax(settings)
    if reason is None:
        from ganbench.bench import rivals_jax

        loop, numbers = rivals_jax.JaxLoop(settings, rows.numpy()), index.numpy()
        calls["jax"] = lambda: loop.update(numbers)
    else:
        absent["jax"] = reason
    wanted = products(settings, math.prod(data.shape))
    if wanted is None:
        absent["floor"] = "convolutions have no floor here"
    else:
        calls["floor"] = floor(wanted, DTYPES[settings.training.precision])
    return calls, absent


def no_jax(settings: Adversarial) -> str | None:
    """Returns why there is no JAX rival of an experiment; none where there is one."""
    if find_spec("jax") is None:
        return "JAX is not installed (extra: rivals)"
    layers = (*settings.generator.layers, *settings.discriminator.layers)
    if not all(isinstance(layer, Linear | Maxout) for layer in layers):
        return "the JAX rival has fully connected layers only"
    return None
