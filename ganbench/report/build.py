"""The report of a suite: tables, figures and report.json, from records and nothing else."""

import json
from dataclasses import asdict
from pathlib import Path

from ganbench.config import load_suite
from ganbench.provenance import atomic_path
from ganbench.report.collect import collect
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


def build(suite_config: Path, results: Path, out: Path) -> None:
    """Writes the tables and figures of a suite beside `out`, and `out` itself at the end.

    Args:
        suite_config: the suite file.
        results: the folder that holds the suite's records.
        out: report.json, with every number, caption and file name that the paper prints.

    Raises:
        GanbenchError: records are missing, malformed or do not belong together.
    """
    suite = load_suite(suite_config)
    experiments = collect(suite_config, results)
    rows = table_rows(experiments)
    table = printed_table(f"{suite.title}: Parzen-window log-likelihood", rows, experiments)
    write_tables(table, rows, out.parent)
    for one in experiments:
        write_figures(one, out.parent)
    write_variance_figure(experiments, suite.title, out.parent)
    write_rivals_figure(experiments, suite.title, out.parent)
    write_home(suite.title, rows, experiments, out.parent)
    write_page(out.parent / PAGE)
    theory.build(suite_config, results, out.parent)
    beyond = scores.build(suite_config, results, out.parent)
    judged = judge(experiments, theory_metrics(suite_config, results))
    others = {
        "claims": claims_table(judged),
        "variance": variance_table(experiments),
        "seeds_needed": seeds_table(experiments),
        "comparisons": comparison_table(experiments),
        "rivals": rivals_table(experiments),
    }
    for name, (printed, csv) in others.items():
        write_printed_table(printed, csv, out.parent, name)
    report = {
        "suite": {"name": suite.name, "title": suite.title},
        "rows": [asdict(row) for row in rows],
        "table": asdict(table),
        "tables": {name: asdict(printed) for name, (printed, _) in others.items()},
        "claims": [asdict(one) for one in judged],
        "beyond_likelihood": [asdict(one) for one in beyond],
        "captions": captions(),
        "experiments": [experiment_facts(one) for one in experiments],
        "provenance": provenance(experiments),
    }
    with atomic_path(out) as temporary:
        temporary.write_text(
            json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
