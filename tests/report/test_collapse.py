"""Collapsed seeds in the notes of Table 1."""

from collections.abc import Callable

import pytest

from ganbench.evaluation import diversity
from ganbench.records import Metric
from ganbench.report.collect import collect
from ganbench.report.table1.collapse import COLLAPSED, REFERENCE, collapse_notes
from ganbench.report.table1.rows import table_rows
from ganbench.report.table1.table import printed_table

from .synthetic import Synthetic

Write = Callable[..., Synthetic]
NOTE = (
    "digits 8 x 8: seed 1 collapsed (1.00 of the pairs of its samples are alike at the end; of the "
    "data's 0.01)"
)


def share(value: float, **labels: str | int) -> dict:
    metric = Metric(name="collapse_share", value=value, unit="1", labels=dict(labels))
    return metric.model_dump(mode="json")


def train_share(suite: Synthetic, seed: int, value: float, **labels: str) -> None:
    path = suite.record_path("digits", seed, "train")
    metrics = collect(suite.config, suite.results)[0].stages["train"][seed].record.metrics
    suite.edit(
        path, metrics=[*(one.model_dump(mode="json") for one in metrics), share(value, **labels)]
    )


def notes(suite: Synthetic) -> list[str]:
    (results,) = collect(suite.config, suite.results)
    return collapse_notes(results)


def test_the_threshold_and_the_reference_are_the_alarms() -> None:
    assert (diversity.COLLAPSED, diversity.REFERENCE) == (COLLAPSED, REFERENCE)


def test_a_collapsed_seed_is_named_below_the_table(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1)})
    assert notes(suite) == []
    train_share(suite, 0, COLLAPSED - 0.01)
    train_share(suite, 1, 1.0)
    assert notes(suite) == [NOTE]
    results = collect(suite.config, suite.results)
    assert f"{NOTE}." in printed_table("title", table_rows(results), results).notes


@pytest.mark.parametrize(("value", "expected"), [(1.0, [NOTE]), (0.01, [])])
def test_the_score_speaks_where_training_did_not_measure(
    synthetic: Write, value: float, expected: list[str]
) -> None:
    suite = synthetic({"digits": (0, 1)})
    suite.write_sample_metrics("digits", copied=(0.0, 0.0))
    labels = {"source": "model", "seed": 1}
    path = suite.results / "digits" / "sample_metrics.json"
    baselines = [share(0.9, source="held_out_images"), share(0.02, source="model", seed=0)]
    suite.edit(path, metrics=[*baselines, share(value, **labels)])
    assert notes(suite) == expected
    # What the run saw itself comes first, unless it looked at validation images, as it once did.
    train_share(suite, 1, 0.99 - value)
    assert notes(suite) == expected
    train_share(suite, 1, 0.99 - value, reference=REFERENCE)
    assert notes(suite) == ([] if expected else [NOTE.replace("1.00", "0.98")])
