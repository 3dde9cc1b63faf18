"""The names of everything that a suite's report consists of, and how the workflow shows them.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from pathlib import Path
from typing import Any

from ganbench.config import Experiment, suite_experiments
from ganbench.report.formats import CAPTIONS, FORMATS, TABLE_FORMATS, in_page
from ganbench.report.sample_metrics import outputs as score_outputs

# The report lists its categories in the order of their names, hence the numbers.
RESULT, PICTURES, TRAINING, UNCERTAINTY = "1 Result", "2 Pictures", "3 Training", "5 Uncertainty"
READING = "8 How to read the numbers"
ALL = "all experiments"
TABLES = {
    "table1": (RESULT, "log-likelihood"),
    "claims": (RESULT, "verdicts"),
    "variance": (UNCERTAINTY, "parts"),
    "seeds_needed": (UNCERTAINTY, "seeds needed"),
    "comparisons": (UNCERTAINTY, "comparisons"),
    "rivals": (RESULT, "rivals"),
}
FIGURES = {
    "figure2": (PICTURES, "samples"),
    "interpolation": (PICTURES, "interpolation"),
    "learning_curves": (TRAINING, "learning curves"),
    "bandwidth": (UNCERTAINTY, "choice of the bandwidth"),
    "samples_curve": (UNCERTAINTY, "numbers of samples"),
}
HOME = "home.rst"  # what the HTML report opens with
PAGE = "likelihood.html"  # docs/likelihood.md, what may be concluded


def figure_file(figure: str, experiment: str, suffix: str = "svg") -> str:
    """Returns the file name of a figure of one experiment."""
    return f"{figure}_{experiment}.{suffix}"


def figures_of(experiment: Experiment) -> list[str]:
    """Returns an experiment's figures: no curve over draws of one, no lines in z where none is."""
    absent = {
        "samples_curve": experiment.evaluation.draws == 1,
        "interpolation": experiment.method != "adversarial",
    }
    return [name for name in FIGURES if not absent.get(name)]


def has_rivals(suite_config: Path) -> bool:
    """Whether a suite trains another paper's method on MNIST."""
    return any(
        experiment.dataset == "mnist" and experiment.method != "adversarial"
        for _, _, experiment, _ in suite_experiments(suite_config)
    )


def outputs(suite_config: Path) -> list[str]:
    """Returns the names of the files that `build` writes for a suite, report.json first."""
    figures = [
        figure_file(figure, name, suffix)
        for name, _, experiment, _ in suite_experiments(suite_config)
        for figure in figures_of(experiment)
        for suffix in FORMATS
    ]
    tables = [f"{table}.{suffix}" for table in TABLES for suffix in TABLE_FORMATS]
    variance = [f"variance.{suffix}" for suffix in FORMATS]
    if has_rivals(suite_config):
        variance += [f"rivals.{suffix}" for suffix in FORMATS]
    others = score_outputs.outputs(suite_config)
    return ["report.json", HOME, *tables, *variance, PAGE, *figures, *others]


def shown(suite_config: Path) -> dict[str, dict[str, Any]]:
    """Returns which outputs the HTML report shows, with the arguments of Snakemake's report().

    Captions are relative to the source tree, where the Snakefile is.
    """
    entries = {
        f"{name}.html": _captioned(name, _place(category, label))
        for name, (category, label) in TABLES.items()
    }
    entries["variance.svg"] = _captioned("variance", _place(UNCERTAINTY, "parts, as a figure"))
    if has_rivals(suite_config):
        entries["rivals.svg"] = _captioned("rivals", _place(RESULT, "rivals, as a figure"))
    entries[PAGE] = _captioned("likelihood", _place(READING, "likelihood"))
    for name, _, experiment, _ in suite_experiments(suite_config):
        for figure in figures_of(experiment):
            place = _place(*FIGURES[figure], in_page(experiment.title))
            entries[figure_file(figure, name)] = _captioned(figure, place)
    return entries | score_outputs.shown(suite_config)


def _place(category: str, shows: str, experiment: str = ALL) -> dict[str, Any]:
    return {"category": category, "labels": {"experiment": experiment, "shows": shows}}


def _captioned(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"caption": f"{CAPTIONS}/{name}.rst", **arguments}
