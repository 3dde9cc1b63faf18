"""Every measure tells a collapsed, a memorising and a good sampler of real digits apart.

Not each of the three from each other by every measure: what a measure cannot see is written here
too, so that nobody reads it as proof.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ganbench.evaluation import coverage, memorisation, two_sample
from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.distances import nearest_two
from ganbench.evaluation.diversity import collapse_share
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.parzen import log_likelihoods

from . import samplers

SIGMA = 0.15


def measured(samples: torch.Tensor, bins: coverage.Bins, judge: Classifier) -> dict[str, float]:
    train, fresh = samplers.train(), samplers.heldout()
    to_train, to_fresh = nearest_two(samples, train), nearest_two(samples, fresh)
    raw, known = ((rows * 16).round().byte().numpy() for rows in (samples, train))
    likelihoods = [log_likelihoods(rows[:400], samples, [SIGMA])[0] for rows in (train, fresh)]
    estimates: list[Estimate] = [
        memorisation.copied_share(to_train, to_fresh, len(train), len(fresh)),
        *memorisation.data_copying(samples, train, fresh),
        memorisation.nearest_ratio(to_train, nearest_two(fresh, train)),
        memorisation.near_duplicates(to_train),
        memorisation.exact_duplicates(raw, known),
        memorisation.parzen_gap(*likelihoods),
        Estimate("collapse_share", collapse_share(samples, train)),
        bins.different(samples),
        *coverage.class_coverage(samples, judge),
        *two_sample.two_sample(samples, fresh),
    ]
    # Of the bandwidths, the median distance.
    return {e.name: e.value for e in estimates if e.labels.get("bandwidth", 1.0) == 1.0}


@pytest.fixture(scope="module")
def values() -> dict[str, dict[str, float]]:
    labels = samplers.digits()[1].numpy().astype(np.uint8)
    judge = Classifier(
        samplers.train(), labels[: samplers.TRAIN], samplers.heldout(), labels[-449:]
    )
    bins = coverage.Bins(samplers.train())
    made = {
        "good": samplers.good(),
        "memory": samplers.memorising(),
        "collapsed": samplers.collapsed(),
    }
    return {name: measured(samples, bins, judge) for name, samples in made.items()}


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
