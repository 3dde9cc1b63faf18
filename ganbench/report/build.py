"""The report of a suite: tables, figures and report.json, from records and nothing else."""

import json
from dataclasses import asdict
from pathlib import Path

from ganbench.config import load_suite
from ganbench.provenance import atomic_path
from ganbench.report import theory
from ganbench.report.collect import collect
from ganbench.report.facts import captions, experiment_facts, provenance
from ganbench.report.figures import write_figures
from ganbench.report.rows import table_rows
from ganbench.report.table import printed_table, write_tables


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
    theory.build(suite_config, results, out.parent)
    report = {
        "suite": {"name": suite.name, "title": suite.title},
        "rows": [asdict(row) for row in rows],
        "table": asdict(table),
        "captions": captions(),
        "experiments": [experiment_facts(one) for one in experiments],
        "provenance": provenance(experiments),
    }
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
