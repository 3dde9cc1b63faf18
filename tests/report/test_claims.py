"""The file of claims, and a verdict for each."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ganbench.config import load, load_experiment
from ganbench.errors import ConfigError
from ganbench.records import Metric
from ganbench.report.collect import collect
from ganbench.report.table1.claims import (
    CLAIMS,
    BoundClaim,
    Claims,
    Judged,
    TableClaim,
    claims_table,
    judge,
    theory_metrics,
)
from ganbench.report.theory.outputs import theory_experiments

from .synthetic import EXPERIMENTS, Synthetic

Write = Callable[..., Synthetic]
FIVE = (0, 1, 2, 3, 4)
ROOT = Path(__file__).parents[2]


def judged(suite: Synthetic) -> dict[tuple[str, str], Judged]:
    rows = judge(collect(suite.config, suite.results), [])
    return {(row.claim, row.experiment): row for row in rows}


def scores(experiment: str, *values: float) -> dict[tuple[str, int], float]:
    return {(experiment, seed): value for seed, value in enumerate(values)}


def test_a_reproduced_cell_and_place(synthetic: Write) -> None:
    near = scores("mnist", 224.0, 225.0, 226.0, 225.5, 224.5)
    rows = judged(synthetic({"mnist": FIVE}, scores=near))
    cell = rows["table1_mnist", "MNIST"]
    assert (cell.verdict, cell.paper, cell.ours, cell.seeds) == ("reproduced", "225", "225.0", 5)
    assert (cell.protocol, cell.inside_prediction) == ("gan2014", True)
    place = rows["ranking_mnist", "MNIST"]
    assert (place.verdict, place.paper, place.ours) == ("reproduced", "1 of 4", "1 of 4")
    assert rows["table1_tfd", ""].verdict == "not run"


def test_shorter_training_is_no_evidence(synthetic: Write) -> None:
    rows = judged(
        synthetic({"mnist_25_epochs": FIVE}, scores=scores("mnist_25_epochs", *[225.0] * 5))
    )
    assert rows["table1_mnist", "MNIST, 25 epochs"].verdict == "budget not reached"


@pytest.mark.parametrize("protocol", ["fine", "gan2014_1000_centers"])
def test_scores_of_another_protocol_are_not_the_papers(synthetic: Write, protocol: str) -> None:
    suite = synthetic({"mnist": FIVE}, scores=scores("mnist", *[225.0] * 5))
    for seed in FIVE:
        path = suite.record_path("mnist", seed, "evaluate")
        # The settings stay those that the digest names.
        head, scores_of, rest = path.read_text().partition('"metrics"')
        path.write_text(head + scores_of + rest.replace('"gan2014"', f'"{protocol}"'))
    for claim in ("table1_mnist", "ranking_mnist"):
        row = judged(suite)[claim, "MNIST"]
        assert (row.verdict, row.protocol, row.ours != "") == ("other protocol", protocol, True)


def test_memory_is_judged_by_the_scores_of_the_samples(synthetic: Write) -> None:
    suite = synthetic({"mnist": (0, 1)})
    assert judged(suite)["memory_mnist", "MNIST"].verdict == "not run"
    suite.write_sample_metrics("mnist", copied=(0.02, 0.1))
    row = judged(suite)["memory_mnist", "MNIST"]
    assert (row.verdict, row.seeds, row.protocol) == ("reproduced", 2, "copied share")
    shares = "0.02 (-0.02 to 0.06), 0.10 (0.06 to 0.14); held-out images 0.05 (0.01 to 0.09)"
    assert row.ours == shares
    suite.write_sample_metrics("mnist", copied=(0.02, 0.9))
    assert judged(suite)["memory_mnist", "MNIST"].verdict == "not reproduced"


def test_missing_data_and_diverged_seeds_are_said(synthetic: Write) -> None:
    suite = synthetic(
        {"mnist": (0, 1), "tfd": (0,)}, statuses={("mnist", 1): "diverged"}, unavailable=("tfd",)
    )
    rows = judged(suite)
    assert rows["table1_mnist", "MNIST"].verdict == "seeds diverged"
    assert rows["table1_tfd", "TFD"].verdict == "data not available"
    assert rows["table1_tfd", "TFD"].ours == ""


def bound(name: str, value: float, relation: str = "at most") -> Metric:
    labels = {"statement": name, "relation": relation, "bound": 1.0}
    return Metric(name=name, value=value, unit="nats", labels=labels)


def theory_row(*metrics: Metric) -> Judged:
    claim = BoundClaim(id="a", statement="s", source="t", rule="bound", metrics=("low", "high"))
    (row,) = judge([], metrics, Claims(claims=(claim,)))
    return row


def test_a_theorem_holds_when_all_its_bounds_do() -> None:
    low, high = bound("low", 0.5), bound("high", 2.0, "at least")
    assert theory_row(low, high).verdict == "reproduced"
    assert theory_row(low).verdict == "not run"
    # Two experiments measure the same statement, and one breaks it.
    broken = theory_row(low, high, bound("low", 1.5))
    assert (broken.verdict, broken.ours) == ("not reproduced", "2 of 3 bounds hold; not low")


@pytest.mark.parametrize("suite", ["theory", "paper"])
def test_the_published_theory_speaks_to_every_statement(suite: str) -> None:
    """The suite of the paper has the same experiments with the same seeds."""
    config, results = ROOT / f"configs/suites/{suite}.yaml", ROOT / "results/published/theory"
    metrics = theory_metrics(config, results)
    own = {name: seeds for name, *_, seeds in theory_experiments(config)}
    every = {name: seeds for name, *_, seeds in theory_experiments(config.with_stem("theory"))}
    assert own.items() <= every.items()
    rows = [row for row in judge([], metrics) if row.protocol == "theory"]
    statements = [claim for claim in load(Claims, CLAIMS).claims if isinstance(claim, BoundClaim)]
    assert [row.claim for row in rows] == [claim.id for claim in statements]
    assert {row.verdict for row in rows} == {"reproduced"}


def test_the_budgets_are_those_of_the_papers_experiments() -> None:
    budgets = {
        claim.column: claim.budget_epochs
        for claim in load(Claims, CLAIMS).claims
        if isinstance(claim, TableClaim)
    }
    for column, name in (("MNIST", "mnist"), ("TFD", "tfd")):
        assert load_experiment(EXPERIMENTS / f"{name}.yaml").training.epochs == budgets[column]


def test_ids_are_given_once() -> None:
    ids = [claim.id for claim in load(Claims, CLAIMS).claims]
    assert len(ids) == len(set(ids))


def test_a_malformed_claim_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("claims:\n  - {id: a, statement: s, source: t, rule: cell, column: SVHN}\n")
    with pytest.raises(
        ConfigError, match=r"claims\.yaml: claims: 0: cell: column: input should be"
    ):
        load(Claims, path)


def test_the_table_prints_every_row_and_the_csv_every_number(synthetic: Write) -> None:
    suite = synthetic({"mnist": (0, 1)}, scores=scores("mnist", 220.0, 226.0))
    rows = judge(collect(suite.config, suite.results), [])
    table, csv = claims_table(rows)
    assert len(table.rows) == len(rows) == csv.count("\n") - 1
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["Verdict"] == "inconclusive"
    assert first["95 % interval"] == "184.9 to 261.1"
    # t(1, .95) = 6.314 standard errors of 3 nats.
    assert first["90 % interval"] == "204.1 to 241.9"
    assert first["Paper inside one more seed's interval"] == "yes"


def test_a_claims_id_is_given_once(tmp_path: Path) -> None:
    content = yaml.safe_load(CLAIMS.read_text())
    content["claims"].append(content["claims"][0])
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(content))
    name = content["claims"][0]["id"]
    with pytest.raises(ConfigError, match=f"id {name!r} is given twice"):
        load(Claims, path)
