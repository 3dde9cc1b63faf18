"""The names of everything that a suite's report consists of.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from pathlib import Path

from ganbench.config import experiment_name, load_suite

TABLES = ("table1.csv", "table1.md", "table1.html", "table1.tex")
FIGURES = ("figure2", "interpolation", "learning_curves", "bandwidth")
FORMATS = ("svg", "png")


def figure_files(figure: str, experiment: str) -> list[str]:
    """Returns the file names of a figure of one experiment."""
    return [f"{figure}_{experiment}.{suffix}" for suffix in FORMATS]


def outputs(suite_config: Path) -> list[str]:
    """Returns the names of the files that `build` writes for a suite, report.json first."""
    names = [experiment_name(entry.config) for entry in load_suite(suite_config).experiments]
    figures = [file for name in names for figure in FIGURES for file in figure_files(figure, name)]
    return ["report.json", *TABLES, *figures]
