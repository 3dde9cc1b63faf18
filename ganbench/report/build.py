"""The report of a suite: tables, figures and report.json, from records and nothing else."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganbench.config import load_suite
from ganbench.provenance import atomic_path, file_sha256
from ganbench.report.collect import ExperimentResults, collect
from ganbench.report.facts import captions, experiment_facts, provenance
from ganbench.report.home import write_home
from ganbench.report.outputs import PAGE
from ganbench.report.page import write_page
from ganbench.report.sample_metrics import build as scores
from ganbench.report.table1.claims import claims_table, judge, theory_metrics
from ganbench.report.table1.comparisons import comparison_table
from ganbench.report.table1.figures import (
    write_figures,
    write_rivals_figure,
    write_variance_figure,
)
from ganbench.report.table1.rivals import rivals_table
from ganbench.report.table1.rows import table_rows
from ganbench.report.table1.table import printed_table, write_printed_table, write_tables
from ganbench.report.table1.variance import seeds_table, variance_table
from ganbench.report.theory import build as theory
from ganbench.report.theory.outputs import theory_experiments


def build(suite_config: Path, results: Path, out: Path) -> None:
    """Writes the tables and figures of a suite beside `out`, and `out` itself at the end.

    Args:
        suite_config: the suite file.
        results: the folder that holds the suite's records.
        out: report.json, with every number, caption and file name that the paper prints.

    Raises:
        GanbenchError: records are missing, malformed or do not belong together.
    """
    # Of records that are refused nothing is left, however late that is found.
    there = next(folder for folder in out.parents if folder.is_dir())
    with tempfile.TemporaryDirectory(dir=there, prefix=".report_") as temporary:
        report = _written(suite_config, results, Path(temporary))
        out.parent.mkdir(parents=True, exist_ok=True)
        for file in Path(temporary).iterdir():
            file.replace(out.parent / file.name)
    with atomic_path(out) as whole:
        whole.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _written(suite_config: Path, results: Path, folder: Path) -> dict[str, Any]:
    """Writes tables and figures into a folder and returns what report.json holds."""
    suite = load_suite(suite_config)
    experiments = collect(suite_config, results)
    # First, because it reads more records: those that are refused should be before the drawing.
    theory.build(suite_config, results, folder)
    rows = table_rows(experiments)
    table = printed_table(f"{suite.title}: Parzen-window log-likelihood", rows, experiments)
    write_tables(table, rows, folder)
    for one in experiments:
        write_figures(one, folder)
    write_variance_figure(experiments, suite.title, folder)
    write_rivals_figure(experiments, suite.title, folder)
    write_home(suite.title, rows, experiments, folder)
    write_page(folder / PAGE)
    beyond = scores.build(suite_config, results, folder)
    judged = judge(experiments, theory_metrics(suite_config, results))
    others = {
        "claims": claims_table(judged),
        "variance": variance_table(experiments),
        "seeds_needed": seeds_table(experiments),
        "comparisons": comparison_table(experiments),
        "rivals": rivals_table(experiments),
    }
    for name, (printed, csv) in others.items():
        write_printed_table(printed, csv, folder, name)
    return {
        "suite": {"name": suite.name, "title": suite.title},
        "rows": [asdict(row) for row in rows],
        "table": asdict(table),
        "tables": {name: asdict(printed) for name, (printed, _) in others.items()},
        "claims": [asdict(one) for one in judged],
        "beyond_likelihood": [asdict(one) for one in beyond],
        "captions": captions(),
        "experiments": [experiment_facts(one) for one in experiments],
        "provenance": provenance(experiments),
        "made_from": _made_from(suite_config, results, experiments),
    }


def _made_from(
    suite_config: Path, results: Path, experiments: Sequence[ExperimentResults]
) -> dict[str, str]:
    """The sha256 of each record that the report was made from, by its place in the results."""
    paths = {stored.path for one in experiments for stored in one.stored}
    paths |= {results / name / "theory.json" for name, *_ in theory_experiments(suite_config)}
    return {path.relative_to(results).as_posix(): file_sha256(path) for path in sorted(paths)}
