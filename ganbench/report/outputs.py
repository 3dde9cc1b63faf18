"""The names of everything that a suite's report consists of, and how the workflow shows them.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from pathlib import Path
from typing import Any

from ganbench.config import suite_experiments
from ganbench.report.formats import CAPTIONS, FORMATS, TABLE_FORMATS, in_page
from ganbench.report.sample_metrics import outputs as score_outputs

TABLES = {
    "table1": ("Table 1", "log-likelihood"),
    "claims": ("Verdicts", "claims"),
    "variance": ("Uncertainty", "parts"),
    "seeds_needed": ("Uncertainty", "seeds needed"),
    "comparisons": ("Uncertainty", "comparisons"),
}
FIGURES = {
    "figure2": "Samples",
    "interpolation": "Interpolation",
    "learning_curves": "Learning curves",
    "bandwidth": "Bandwidth",
    "samples_curve": "Numbers of samples",
}
PAGE = "likelihood.html"  # docs/likelihood.md, what may be concluded


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
    tables = [f"{table}.{suffix}" for table in TABLES for suffix in TABLE_FORMATS]
    variance = [f"variance.{suffix}" for suffix in FORMATS]
    others = score_outputs.outputs(suite_config)
    return ["report.json", *tables, *variance, PAGE, *figures, *others]


def shown(suite_config: Path) -> dict[str, dict[str, Any]]:
    """Returns which outputs the HTML report shows, with the arguments of Snakemake's report().

    Captions are relative to the source tree, where the Snakefile is.
    """
    entries = {
        f"{name}.html": _captioned(name, {"category": category, "labels": {"table": label}})
        for name, (category, label) in TABLES.items()
    }
    parts = {"category": "Uncertainty", "labels": {"figure": "parts"}}
    entries["variance.svg"] = _captioned("variance", parts)
    reading = {"category": "How to read the numbers", "labels": {"page": "likelihood"}}
    entries[PAGE] = _captioned("likelihood", reading)
    for name, _, experiment, _ in suite_experiments(suite_config):
        for figure, category in FIGURES.items():
            labels = {"experiment": in_page(experiment.title)}
            entries[figure_file(figure, name)] = _captioned(
                figure, {"category": category, "labels": labels}
            )
    return entries | score_outputs.shown(suite_config)


def _captioned(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"caption": f"{CAPTIONS}/{name}.rst", **arguments}
