"""The names of a report's tables and figures of sample metrics.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from pathlib import Path
from typing import Any

from ganbench.config import suite_experiments
from ganbench.evaluation.measures import MEASURES
from ganbench.report.formats import CAPTIONS, TABLE_FORMATS, in_page

GROUPS = tuple(dict.fromkeys(measure.group for measure in MEASURES.values()))


def table_stem(group: str) -> str:
    """Returns the file name, without its ending, of a group's table."""
    return f"scores_{group.replace(' ', '_')}"


def figure_stem(experiment: str) -> str:
    """Returns the file name, without its ending, of an experiment's figure."""
    return f"scores_{experiment}"


def outputs(suite_config: Path) -> list[str]:
    """Returns the names of the files that `scores.build` writes; none without experiments."""
    names = [name for name, *_ in suite_experiments(suite_config)]
    if not names:
        return []
    tables = [f"{table_stem(group)}.{end}" for group in GROUPS for end in TABLE_FORMATS]
    return tables + [f"{figure_stem(name)}.{end}" for name in names for end in ("svg", "png")]


def shown(suite_config: Path) -> dict[str, dict[str, Any]]:
    """Returns which outputs the HTML report shows, with the arguments of Snakemake's report()."""
    entries: dict[str, dict[str, Any]] = {}
    for name, _, experiment, _ in suite_experiments(suite_config):
        for group in GROUPS:
            labels = {"experiment": "all experiments", "shows": group}
            entries[f"{table_stem(group)}.html"] = _entry(table_stem(group), labels)
        labels = {"experiment": in_page(experiment.title), "shows": "figure"}
        entries[f"{figure_stem(name)}.svg"] = _entry("scores", labels)
    return entries


def _entry(caption: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "caption": f"{CAPTIONS}/{caption}.rst",
        "category": "4 Beyond likelihood",
        "labels": labels,
    }
