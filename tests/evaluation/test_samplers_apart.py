"""Every measure tells a collapsed, a memorising and a good sampler of real digits apart.

Not each of the three from each other by every measure: what a measure cannot see is written here
too, so that nobody reads it as proof.
"""

import numpy as np
import pytest

from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.yardstick import Yardstick

from . import samplers, test_coverage, test_memorisation, test_two_sample

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


TELLS = test_memorisation.TELLS | test_coverage.TELLS | test_two_sample.TELLS


def test_every_measure_is_tried() -> None:
    assert TELLS.keys() == MEASURES.keys()


@pytest.mark.parametrize(
    ("name", "sampler"),
    [(name, one) for name, tests in TELLS.items() for one in range(3) if tests[one]],
)
def test_samplers_are_told_apart(
    values: dict[str, dict[str, float]], name: str, sampler: int
) -> None:
    value = values[("good", "memory", "collapsed")[sampler]][name]
    assert TELLS[name][sampler](value), value
