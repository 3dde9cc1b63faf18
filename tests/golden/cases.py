"""Small seeded runs of everything whose numbers have a version.

Each case returns named numbers and belongs to a stage of `ganbench.numerics.NUMERICS`. A new
method, objective, protocol or measure needs a case; `test_golden.py` fails where one is missing.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, get_args
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from ganbench import seeding
from ganbench.config import Adversarial, Objective
from ganbench.data.digits import load as load_digits
from ganbench.data.rows import Images
from ganbench.evaluation import baselines, parzen
from ganbench.records import Metric
from ganbench.stages.likelihood import Likelihood
from ganbench.stages.sample_metrics import SampleMeasurer
from ganbench.theory import run
from ganbench.theory.config import TheoryExperiment
from ganbench.training.loop import Run
from ganbench.training.method_run import MethodRun
from tests.golden.networks import CONVOLUTIONAL, DENSE, TWO_PHASES
from tests.methods import recipes
from tests.theory.conftest import NOTE, STUDIES

Numbers = dict[str, float]
UPDATES = 20
SAMPLES = 200  # of a protocol, in place of its thousands; C_T needs as many
# Twenty updates of float64 differ between processors by a few units of the 16th digit, grown a
# thousandfold by the game; what a change of mathematics does begins at the 4th.
FLOAT64 = 1e-9
# Products of bfloat16 are rounded to 8 bits, and processors sum them in other orders.
BFLOAT16 = 2e-2
# Scikit-learn's k-means and float32 parts of the evaluation.
FLOAT32 = 1e-4


class Case(NamedTuple):
    """Numbers of one stage.

    Attributes:
        stage: a key of `NUMERICS`.
        compute: makes the numbers.
        tolerance: relative, of each number (absolute below 1).
    """

    stage: str
    compute: Callable[[], Numbers]
    tolerance: float = FLOAT64


# Small steps keep what is rounded to 8 bits from growing.
GENTLE = {"learning_rate": 0.02, "learning_rate_floor": 0.01}
# Objectives whose game diverges within the updates at the other cases' steps.
GENTLE_OBJECTIVES: tuple[str, ...] = ()


def trained(networks: dict[str, Any], **training: Any) -> Numbers:
    """Twenty updates in four epochs, monitored in the second and the last, in float64.

    The momentum's ramp, the learning rate's fall and its floor all happen within them.
    """
    settings = Adversarial.model_validate(
        {
            "title": "golden",
            "dataset": "digits",
            "generator": networks["generator"],
            "discriminator": networks["discriminator"],
            "training": {
                "batch_size": 7,
                "learning_rate": 0.2,
                "learning_rate_decay": 1.05,
                "learning_rate_floor": 0.09,
                "momentum_epochs": 3,
                "phases": networks.get("phases", [{"epochs": 4}]),
            }
            | training,
            "evaluation": {"monitor_every": 2},
        }
    )
    digits = load_digits()
    # 33 images make batches of 7, 7, 7, 7 and 5.
    validation = to_rows(digits.folds[0].validation[:20])
    with short_protocols():
        game = Run(settings, [3], rows_of(digits.train[:33]), validation, 1)
        while not game.finished:
            game.run_epoch(lambda: None)
        numbers = {
            f"epoch {row['epoch']}: {name}": float(value)
            for row in game.progress[0].history
            for name, value in row.items()
            if value is not None and name not in ("epoch", "phase", "updates")
        }
        sample = game.sample(2, seeding.generator(3, "sampling", 0))
    assert game.counters.updates == UPDATES, (
        f"stopped after {game.counters.updates} of {UPDATES} updates: the weights diverged; give "
        "the case gentler rates (GENTLE)"
    )
    for title, player in (("generator", game.generator), ("discriminator", game.discriminator)):
        for name, parameter in player.networks[0].named_parameters():
            numbers |= summary(f"{title} {name}", parameter.detach())
    return numbers | summary("sample", sample)


def method_trained(method: str) -> Numbers:
    """A tiny run of a method, monitored every epoch, in float64."""
    digits = load_digits()
    with short_protocols():
        run = MethodRun(
            recipes.experiment(method),
            [3],
            rows_of(digits.train[:33]),
            to_rows(digits.folds[0].validation[:20]),
            1,
        )
        while not run.finished:
            run.run_epoch(lambda: None)
        numbers = {
            f"epoch {row['epoch']}: {name}": float(value)
            for row in run.progress[0].history
            for name, value in row.items()
            if value is not None and name not in ("epoch", "phase", "updates")
        }
        for way, settings in (run.experiment.recipe.ways_to_sample or {"": None}).items():
            stream = seeding.generator(3, "sampling", 0)
            drawn = run.methods[0].sample(20, stream, run.train.rows(), settings)
            numbers |= summary(f"sample {way}".strip(), drawn)
    for name, value in run.methods[0].tensors().items():
        numbers |= summary(name, value.detach())
    return numbers


def summary(name: str, values: Tensor) -> Numbers:
    """First and last value and the norm."""
    flat = values.double().flatten()
    first, last, norm = flat[0].item(), flat[-1].item(), flat.norm().item()
    return {f"{name}: first": first, f"{name}: last": last, f"{name}: norm": norm}


@contextmanager
def short_protocols() -> Iterator[None]:
    """Protocols of few samples."""
    short = {name: replace(one, samples=SAMPLES) for name, one in parzen.PROTOCOLS.items()}
    with mock.patch.dict(parzen.PROTOCOLS, short):
        yield


class Rows(Images):
    """Images as rows of torch's default type, where the product always takes float32."""

    def rows(self, index: Tensor | slice = slice(None)) -> Tensor:
        return super().rows(index).to(torch.get_default_dtype())


def rows_of(raw: np.ndarray) -> Rows:
    return Rows(torch.from_numpy(raw), 16.0, "unit_interval")


def to_rows(raw: np.ndarray) -> Tensor:
    return rows_of(raw).rows()


def draws() -> Tensor:
    """Images with noise: samples that neither copy nor miss the data."""
    images = to_rows(load_digits().train[100 : 100 + SAMPLES])
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
    return 0.8 * images + 0.2 * noise.to(images)


def numbers_of(metrics: list[Metric]) -> Numbers:
    """Value, standard error and interval of each metric, by its name and labels."""
    numbers: Numbers = {}
    for metric in metrics:
        labels = {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in metric.labels.items()
        }
        name = f"{metric.name} {labels}"
        numbers[name] = metric.value
        if metric.standard_error is not None:
            numbers[f"{name}: standard error"] = metric.standard_error
        for end, value in zip(("low", "high"), metric.interval or (), strict=False):
            numbers[f"{name}: {end}"] = value
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def evaluated(protocol: str) -> Numbers:
    with short_protocols():
        likelihood = Likelihood(load_digits(), parzen.PROTOCOLS[protocol], to_rows, "golden")
        metrics = likelihood.metrics(draws(), {})
        return numbers_of([*metrics, *likelihood.redrawn(draws().flip(0)[:50], {"draw": 1})])


def baselines_drawn() -> Numbers:
    images = to_rows(load_digits().train[:300])
    numbers = summary("k-means", baselines.kmeans_centers(images, 20))
    for name in ("gaussian", "uniform"):
        stream = seeding.generator(0, "subset", 1)
        numbers |= summary(name, getattr(baselines, f"{name}_samples")(images, 50, stream))
    return numbers


def measured() -> Numbers:
    with short_protocols():
        measurer = SampleMeasurer(load_digits(), parzen.PROTOCOLS["gan2014"], to_rows, "golden")
        yardstick = measurer.yardstick(measurer.dataset.train)
        return numbers_of(measurer.measured(yardstick, draws(), {}))


def studied(kind: str) -> Numbers:
    content = {"title": kind, "note": NOTE, "study": {"kind": kind, **STUDIES[kind]}}
    study = TheoryExperiment.model_validate(content).study
    return numbers_of(run.STUDIES[kind](study, [0], "cpu").metrics)


def train_cases() -> dict[str, Case]:
    """Every network, update rule, objective and precision."""
    cases = {
        "train dense max_column_norm": Case("train", lambda: trained(DENSE, max_column_norm=0.7)),
        "train dense annealed": Case(
            "train", lambda: trained(DENSE, anneal_epochs=2, anneal_to=0.01)
        ),
        "train convolutional": Case("train", lambda: trained(CONVOLUTIONAL)),
        "train two phases": Case("train", lambda: trained(TWO_PHASES)),
        "train convolutional alternating": Case(
            "train", lambda: trained(CONVOLUTIONAL, update="alternating", discriminator_steps=2)
        ),
        "train dense bfloat16": Case(
            "train",
            lambda: in_float32(lambda: trained(DENSE, precision="bfloat16", **GENTLE)),
            BFLOAT16,
        ),
    }
    for objective in get_args(Objective):
        for update, steps in (("simultaneous", 1), ("alternating", 1), ("alternating", 2)):
            settings = {"objective": objective, "update": update, "discriminator_steps": steps}
            settings |= GENTLE if objective in GENTLE_OBJECTIVES else {}
            cases[f"train dense {objective} {update} k={steps}"] = Case(
                "train", lambda settings=settings: trained(DENSE, **settings)
            )
    return cases


def in_float32(compute: Callable[[], Numbers]) -> Numbers:
    torch.set_default_dtype(torch.float32)
    return compute()


CASES: dict[str, Case] = {
    **train_cases(),
    **{
        f"train {method}": Case("train", lambda method=method: method_trained(method))
        for method in recipes.RECIPES
    },
    **{
        f"evaluate {name}": Case("evaluate", lambda name=name: evaluated(name))
        for name in parzen.PROTOCOLS
    },
    "baselines": Case("baselines", lambda: in_float32(baselines_drawn), FLOAT32),
    "sample_metrics": Case("sample_metrics", measured, FLOAT32),
    **{
        f"theory {kind}": Case(
            "theory", lambda kind=kind: in_float32(lambda: studied(kind)), FLOAT32
        )
        for kind in STUDIES
    },
}


def compute(name: str) -> Numbers:
    """Returns the numbers of a case; torch computes in float64 where the case lets it."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        return CASES[name].compute()
    finally:
        torch.set_default_dtype(torch.float32)
