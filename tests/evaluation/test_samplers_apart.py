"""Every measure tells a collapsed, a memorising and a good sampler of real digits apart.

Not each of the three from each other by every measure: what a measure cannot see is written here
too, so that nobody reads it as proof.
"""

from collections.abc import Callable

import numpy as np
import pytest

from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.yardstick import Yardstick

from . import samplers

SIGMA = 0.15


@pytest.fixture(scope="module")
def values() -> dict[str, dict[str, float]]:
    labels = samplers.digits()[1].numpy().astype(np.uint8)
    train, fresh = samplers.train(), samplers.heldout()
    judge = Classifier(train, labels[: samplers.TRAIN], fresh, labels[-449:])
    yardstick = Yardstick(train, fresh, 1 / 32, judge)
    made = {
        "good": samplers.good(),
        "memory": samplers.memorising(),
        "collapsed": samplers.collapsed(),
    }
    return {name: measured(yardstick.measure(one, SIGMA)) for name, one in made.items()}


def test_only_the_collapsed_sampler_raises_the_alarm() -> None:
    yardstick = Yardstick(samplers.train(), samplers.heldout(), 1 / 32, None)
    for sampler, alarm in ((samplers.good, 0), (samplers.blurred, 0), (samplers.collapsed, 1)):
        actual = yardstick.measure(sampler(), SIGMA)
        (share,) = (one for one in actual if one.name == "collapse_share")
        assert share.labels == {"collapsed": alarm}


def measured(estimates: list[Estimate]) -> dict[str, float]:
    """Of the kernel's bandwidths, the median distance."""
    return {e.name: e.value for e in estimates if e.labels.get("bandwidth", 1.0) == 1.0}


Test = Callable[[float], bool]
# What it says of a good, a memorising and a collapsed sampler; None: anything.
SEES: dict[str, tuple[Test, Test, Test | None]] = {
    "copied_share": (lambda v: abs(v) < 0.2, lambda v: v > 0.9, lambda v: v < 0.2),
    "copying_z": (lambda v: abs(v) < 1.5, lambda v: v < -5, lambda v: v > -1.5),
    "copying_superiority": (lambda v: abs(v - 0.5) < 0.1, lambda v: v < 0.05, lambda v: v > 0.3),
    "nearest_ratio": (lambda v: abs(v - 1) < 0.1, lambda v: v < 0.2, lambda v: v > 0.5),
    "near_duplicates": (lambda v: v < 0.02, lambda v: v > 0.95, lambda v: v < 0.02),
    "exact_duplicates": (lambda v: v == 0, lambda v: v > 0, lambda v: v == 0),
    "parzen_gap": (lambda v: abs(v) < 5, lambda v: v > 15, None),
    "collapse_share": (lambda v: v < 0.05, lambda v: v < 0.05, lambda v: v > 0.3),
    "different_bins": (lambda v: v < 0.2, lambda v: v < 0.2, lambda v: v > 0.6),
    "class_divergence": (lambda v: v < 0.05, lambda v: v < 0.05, lambda v: v > 0.5),
    "classes_hit": (lambda v: v == 10, lambda v: v == 10, lambda v: v <= 3),
    "classifier_accuracy": (lambda v: v > 0.9, lambda v: v > 0.9, lambda v: v > 0.9),
    "neighbour_accuracy": (lambda v: v < 0.65, lambda v: v < 0.65, lambda v: v > 0.8),
    "squared_mmd": (lambda v: abs(v) < 0.02, lambda v: abs(v) < 0.02, lambda v: v > 0.1),
    "precision": (lambda v: v > 0.6, lambda v: v > 0.6, None),
    "recall": (lambda v: v > 0.6, lambda v: v > 0.6, lambda v: v < 0.2),
}


def test_every_measure_is_tried() -> None:
    assert SEES.keys() == MEASURES.keys()


@pytest.mark.parametrize(
    ("name", "sampler"),
    [(name, one) for name, tests in SEES.items() for one in range(3) if tests[one]],
)
def test_samplers_are_told_apart(
    values: dict[str, dict[str, float]], name: str, sampler: int
) -> None:
    value = values[("good", "memory", "collapsed")[sampler]][name]
    assert SEES[name][sampler](value), value
