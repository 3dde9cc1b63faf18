"""The names of everything that a suite's report consists of, and how the workflow shows them.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from pathlib import Path
from typing import Any

from ganbench.config import suite_experiments

TABLES = ("table1.csv", "table1.md", "table1.html", "table1.tex")
FIGURES = {
    "figure2": "Samples",
    "interpolation": "Interpolation",
    "learning_curves": "Learning curves",
    "bandwidth": "Bandwidth",
}
FORMATS = ("svg", "png")
CAPTIONS = "ganbench/report/captions"


def figure_file(figure: str, experiment: str, suffix: str = "svg") -> str:
    """Returns the file name of a figure of one experiment."""
    return f"{figure}_{experiment}.{suffix}"


def outputs(suite_config: Path) -> list[str]:
    """Returns the names of the files that `build` writes for a suite, report.json first."""
    figures = [
        figure_file(figure, name, suffix)
        for name, *_ in suite_experiments(suite_config)
        for figure in FIGURES
        for suffix in FORMATS
    ]
    return ["report.json", *TABLES, *figures]


def shown(suite_config: Path) -> dict[str, dict[str, Any]]:
    """Returns which outputs the HTML report shows, with the arguments of Snakemake's report().

    Captions are relative to the source tree, where the Snakefile is.
    """
    table = {"category": "Table 1", "labels": {"table": "log-likelihood"}}
    entries = {"table1.html": _captioned("table1", table)}
    for name, _, experiment, _ in suite_experiments(suite_config):
        for figure, category in FIGURES.items():
            labels = {"experiment": experiment.title}
            entries[figure_file(figure, name)] = _captioned(
                figure, {"category": category, "labels": labels}
            )
    return entries


def _captioned(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"caption": f"{CAPTIONS}/{name}.rst", **arguments}
