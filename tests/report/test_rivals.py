"""The table and figure of the methods of other papers."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from ganbench.published import PRINTED
from ganbench.report.build import build
from ganbench.report.collect import collect
from ganbench.report.outputs import outputs
from ganbench.report.paper import build_paper
from ganbench.report.statistics import seed_mean
from ganbench.report.table1.rivals import COLUMNS, methods, rivals_table

from .synthetic import Synthetic

Write = Callable[..., Synthetic]
SEEDS = (0, 1, 2)


@pytest.fixture
def suite(synthetic: Write) -> Synthetic:
    scores = {("mnist_dbn", seed): 130.0 + 2 * seed for seed in SEEDS}
    return synthetic({"mnist": SEEDS, "mnist_dbn": SEEDS, "mnist_vae": (0,)}, scores=scores)


def test_printed_and_measured_stand_side_by_side(suite: Synthetic) -> None:
    table, text = rivals_table(collect(suite.config, suite.results))
    rows = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in table.rows}
    dbn = rows["DBN, contrastive divergence"]
    over_seeds = seed_mean([130.0, 132.0, 134.0])
    assert over_seeds.interval is not None
    assert dbn == {
        "Method": "DBN, contrastive divergence",
        "Printed (nats)": "138 ± 2",
        "Printed number was scored with": "not known",
        "Ours, gan2014 (nats)": "132.0",
        "95 % interval over seeds": "{:.1f} to {:.1f}".format(*over_seeds.interval),
        "Seeds": "3",
        "Ours, gmmn2015": "137.0",
        "Ours, fine": "142.0",
        "Grid penalty": "3.2",
        # Eight further ways, each 10 nats below the one before.
        "Other ways to sample": "62 to 132",
        "Epochs": "200",
    }
    assert rows["MNIST"]["Ours, fine"] == "-"
    assert rows["VAE"]["95 % interval over seeds"] == "-"
    numbers = {row["title"]: row for row in csv.DictReader(io.StringIO(text))}
    assert float(numbers["VAE"]["printed"]) == PRINTED["vae"].log_likelihood
    assert float(numbers["DBN, contrastive divergence"]["fine"]) == 142.0


def test_a_suite_without_rivals_has_neither_table_nor_figure(synthetic: Write) -> None:
    suite = synthetic({"mnist": (0,)})
    assert methods(collect(suite.config, suite.results)) == []
    assert "rivals.png" not in outputs(suite.config)


def test_a_method_without_a_result_says_why(synthetic: Write) -> None:
    suite = synthetic({"mnist_vae": (0,)}, statuses={("mnist_vae", 0): "diverged"})
    table, _ = rivals_table(collect(suite.config, suite.results))
    assert table.rows[0][3] == "1 of 1 seeds diverged"


def test_the_report_is_written(suite: Synthetic) -> None:
    build(suite.config, suite.results, suite.out)
    written = {path.name for path in suite.out.parent.iterdir()}
    named = outputs(suite.config)
    assert {name for name in named if name.startswith("rivals")} <= written
    assert {"rivals.png", "learning_curves_mnist_dbn.png"} <= written
    assert "interpolation_mnist_dbn.png" not in written
    build_paper(suite.out, suite.out.with_suffix(".pdf"))
    assert suite.out.with_suffix(".pdf").stat().st_size > 10_000
    facts = {one["name"]: one for one in json.loads(suite.out.read_text())["experiments"]}
    assert facts["mnist_vae"]["recipe"]["method"] == "vae"
    assert facts["mnist_vae"]["recipe"]["settings"]["code"] == 8
