import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ganbench.report.collect import collect
from ganbench.report.table1.rows import Row, table_rows
from ganbench.report.table1.table import (
    COLUMNS,
    PrintedTable,
    print_table,
    printed_table,
    write_tables,
)

from .synthetic import Synthetic


def cells(row: Row) -> dict[str, str]:
    (printed,) = printed_table("title", [row], []).rows
    return dict(zip(COLUMNS, printed, strict=True))


def row(**changes: object) -> Row:
    return Row(experiment="e", title="E", kind="ours", source="ours: last epoch", **changes)


def test_a_complete_row() -> None:
    printed = cells(
        row(
            seeds_run=3,
            seeds_diverged=0,
            epochs=(25.0, 25.0),
            log_likelihood=221.456,
            interval=(214.04, 228.96),
            standard_error=1.96,
            error_over="test images",
            sigma=(0.1668, 0.2154),
            protocol="gan2014",
            grid_penalty=3.25,
        )
    )
    assert list(printed.values()) == [
        "E",
        "ours: last epoch",
        "gan2014",
        "221.5 ± 2.0",
        "test images",
        "214.0 to 229.0",
        "3 / 0",
        "25",
        "0.167 to 0.215",
        "3.2",
    ]


def test_a_mean_over_survivors_says_so_in_the_same_cell() -> None:
    printed = cells(
        row(
            status="1 of 3 seeds diverged",
            seeds_run=3,
            seeds_finished=2,
            seeds_diverged=1,
            log_likelihood=220.0,
            interval=(200.0, 240.0),
            standard_error=2.0,
        )
    )
    assert printed["Log-likelihood ± SE (nats)"] == (
        "220.0 ± 2.0 (INCOMPLETE: 1 of 3 seeds diverged; mean of the 2 finished)"
    )
    assert printed["95 % interval over seeds"] == "200.0 to 240.0 (of 2 seeds)"
    assert printed["Seeds run / diverged"] == "3 / 1"


def test_a_row_without_a_number_says_why() -> None:
    printed = cells(row(status="data not available", seeds_run=0, seeds_diverged=0))
    assert printed["Log-likelihood ± SE (nats)"] == "data not available"
    assert printed["95 % interval over seeds"] == printed["Sigma"] == "-"


def test_the_papers_numbers_are_printed_as_they_were() -> None:
    published = Row(
        experiment="MNIST",
        title="MNIST",
        kind="published",
        source="paper: Stacked CAE",
        log_likelihood=121.0,
        standard_error=1.6,
    )
    assert cells(published)["Log-likelihood ± SE (nats)"] == "121 ± 1.6"


def test_a_bandwidth_at_the_edge_is_flagged() -> None:
    printed = cells(row(log_likelihood=1.0, sigma=(1.0, 1.0), sigma_at_grid_edge=True))
    assert printed["Sigma"] == "1.000, at the grid's edge"


def test_draws_and_notes_of_protocols_stand_below() -> None:
    images = row(seed_values=(240.0, 240.5), protocol="gmmn2015", protocol_note="it leaks")
    table = printed_table("title", [replace(images, kind="baseline", source="baseline: x")], [])
    assert "E, x, each draw (the first is the row): 240.0, 240.5." in table.notes
    assert "gmmn2015: it leaks." in table.notes


def test_notes_and_reasons_stand_below(built: Synthetic) -> None:
    table = built.report["table"]
    assert "[a] uniform noise." in table["notes"]
    assert "MNIST, seed 1: mnist: diverged; see the log." in table["notes"]
    marked = {row[0] for row in table["rows"] if "ours" in row[1]}
    assert "MNIST [a]" in marked
    assert "TFD" in marked


def test_the_footnote_says_on_which_devices_the_seeds_were_trained(
    synthetic: Callable[..., Synthetic],
) -> None:
    suite = synthetic({"digits": (0, 1)})
    notes = printed(suite).notes
    assert "digits 8 x 8: trained on one kind of device (Synthetic CPU)." in notes
    suite.edit(suite.record_path("digits", 1, "train"), provenance={"device": "Another"})
    assert (
        "digits 8 x 8: trained on 2 kinds of device (Another, Synthetic CPU)."
        in printed(suite).notes
    )


def printed(suite: Synthetic) -> PrintedTable:
    experiments = collect(suite.config, suite.results)
    return printed_table("title", table_rows(experiments), experiments)


def test_csv_has_the_numbers(built: Synthetic) -> None:
    with open(built.out.parent / "table1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(built.report["rows"])
    ours = next(row for row in rows if row["experiment"] == "mnist")
    assert float(ours["log_likelihood"]) == pytest.approx(223.0)
    assert float(ours["interval_low"]) < 223 < float(ours["interval_high"])
    assert (ours["seeds_run"], ours["seeds_diverged"], ours["epochs_low"]) == ("3", "1", "2000")


def test_markdown_has_every_cell(built: Synthetic) -> None:
    lines = (built.out.parent / "table1.md").read_text().splitlines()
    body = [line for line in lines if line.startswith("|")]
    table = built.report["table"]
    actual = [[cell.strip() for cell in line.strip("|").split("|")] for line in body]
    assert actual[0] == table["columns"]
    assert actual[2:] == table["rows"]


def test_html_is_well_formed_and_has_every_cell(built: Synthetic) -> None:
    text = (built.out.parent / "table1.html").read_text()
    assert '<meta charset="utf-8">' in text
    body = re.search(r"<tbody>.*</tbody>", text, re.DOTALL)
    assert body
    rows = ElementTree.fromstring(body.group()).findall("tr")
    assert [[cell.text for cell in row] for row in rows] == built.report["table"]["rows"]


def test_html_escapes(tmp_path: Path) -> None:
    table = printed_table("a < b & c", [row(status="<script>")], [])
    write_tables(table, [row(status="<script>")], tmp_path)
    assert "<script>" not in (tmp_path / "table1.html").read_text()


def test_latex_is_balanced_booktabs(built: Synthetic) -> None:
    text = (built.out.parent / "table1.tex").read_text()
    assert text.isascii()
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for line in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{line}") == 1
    bodies = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(bodies) == 1 + len(built.report["rows"])
    assert {len(re.findall(r"(?<!\\)&", line)) for line in bodies} == {len(COLUMNS) - 1}
    assert not re.findall(r"(?<!\\)[%#_^~]", text.replace("{!}{%", ""))


def test_latex_escapes(tmp_path: Path) -> None:
    table = printed_table(r"50 % of a_b & c\d ~ 2^3 ± {x} $ #", [row()], [])
    write_tables(table, [row()], tmp_path)
    assert (
        r"50 \% of a\_b \& c\textbackslash{}d \textasciitilde{} 2\textasciicircum{}3 $\pm$ \{x\} "
        r"\$ \#"
    ) in (tmp_path / "table1.tex").read_text()


def test_the_terminal_shows_every_number(
    built: Synthetic, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(built.out)
    shown = capsys.readouterr().out
    for expected in ("MNIST [a]", "225 ± 2", "223.0 ± 2.0", "INCOMPLETE", "data not available"):
        assert expected in shown
    assert "[a] uniform noise." in shown
