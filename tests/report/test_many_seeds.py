"""With many seeds tables and figures show quantiles, and the csv files every one."""

import pandas as pd
import pytest

from ganbench.config import load_experiment
from ganbench.records import Metric
from ganbench.report.build import build
from ganbench.report.sample_metrics.build import Scored, scores_table
from ganbench.report.statistics import MANY, quantile_words

from .synthetic import EXPERIMENTS, Synthetic, _record

SEEDS = 30
DIVERGED = range(MANY + 2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    names = {"mnist": tuple(range(SEEDS))}
    suite = Synthetic(
        tmp_path_factory.mktemp("many"),
        names,
        scores={("mnist", seed): 200.0 + seed for seed in range(SEEDS)},
        statuses={("mnist", seed): "diverged" for seed in DIVERGED},
    ).write()
    suite.out.parent.mkdir(parents=True, exist_ok=True)
    build(suite.config, suite.results, suite.out)
    return suite


def test_notes_name_quantiles_and_only_the_first_failures(report: Synthetic) -> None:
    notes = report.report["table"]["notes"]
    assert max(len(note.split(", ")) for note in notes if "each seed" in note) <= 9
    assert sum("diverged" in note for note in notes) <= MANY + 1
    assert any(note == f"And {len(DIVERGED) - MANY} more such." for note in notes)
    assert any("20 values: lowest 210.0, 5 % 210.9" in note for note in notes)


def test_the_csv_has_every_seed(report: Synthetic) -> None:
    table = pd.read_csv(report.out.parent / "table1.csv")
    (values,) = table.loc[table["source"] == "ours: last epoch", "seed_values"]
    assert len(values.split()) == SEEDS - len(DIVERGED)


def test_values_by_quantiles() -> None:
    expected = (
        "101 values: lowest 0.0, 5 % 5.0, 25 % 25.0, median 50.0, 75 % 75.0, 95 % 95.0, "
        "highest 100.0"
    )
    assert quantile_words([float(one) for one in range(101)]) == expected


@pytest.mark.parametrize(("count", "rows"), [(MANY, MANY), (101, 3)])
def test_the_samples_of_many_seeds_have_three_rows(count: int, rows: int) -> None:
    experiment = load_experiment(EXPERIMENTS / "mnist.yaml")
    metrics = [
        Metric(
            name="precision",
            value=seed / 100,
            unit="1",
            labels={"source": "model", "seed": seed},
        )
        for seed in range(count)
    ]
    record = _record("sample_metrics", "mnist", experiment, None, "ok", metrics)
    table = scores_table("two samples", [Scored("mnist", experiment, record)])
    assert len(table.rows) == rows
    if rows == 3:
        place = table.columns.index("Precision")
        assert [row[place] for row in table.rows] == ["0.050", "0.500", "0.950"]
        assert table.rows[1][1] == "ours: median of 101 seeds"
