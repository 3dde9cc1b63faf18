"""The names of everything that the theory section of a report consists of.

Imports neither torch nor a plotting library: the workflow reads it whenever it is parsed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganbench.config import entry_file, experiment_name, load, load_suite
from ganbench.report.formats import CAPTIONS, FORMATS, TABLE_FORMATS, in_page
from ganbench.theory.config import TheoryExperiment

STATEMENTS = "theory_statements"
PARTS = {  # kinds with several figures; these have a table too
    "objectives": ("samples", "scores", "critics"),
    "image_objectives": ("samples", "scores"),
}


def theory_experiments(
    suite_config: Path,
) -> Iterator[tuple[str, Path, TheoryExperiment, tuple[int, ...]]]:
    """Yields name, file, settings and seeds of each theory experiment of a suite."""
    for entry in load_suite(suite_config).theory:
        config = entry_file(suite_config, entry)
        yield experiment_name(entry.config), config, load(TheoryExperiment, config), entry.seeds


def figures(name: str, experiment: TheoryExperiment) -> list[str]:
    """Returns the stems of an experiment's figures."""
    parts = PARTS.get(experiment.study.kind)
    return [f"{name}_{part}" for part in parts] if parts else [name]


def outputs(suite_config: Path) -> list[str]:
    """Returns the names of the files that `theory.build` writes; none without theory."""
    names = []
    for name, _, experiment, _ in theory_experiments(suite_config):
        names += [f"{stem}.{end}" for stem in figures(name, experiment) for end in FORMATS]
        if experiment.study.kind == "figure1":
            names += [f"{name}.gif", f"{name}_animation.html"]
        if experiment.study.kind in PARTS:
            names += [f"{name}.{end}" for end in TABLE_FORMATS]
    return [*(f"{STATEMENTS}.{end}" for end in TABLE_FORMATS), *names] if names else []


def shown(suite_config: Path) -> dict[str, dict[str, Any]]:
    """Returns which outputs the HTML report shows, with the arguments of Snakemake's report()."""
    entries: dict[str, dict[str, Any]] = {}
    for name, _, experiment, _ in theory_experiments(suite_config):
        kind, title = experiment.study.kind, in_page(experiment.title)
        for stem in figures(name, experiment):
            part = stem.removeprefix(name)
            labels = {"experiment": title, "shows": part.removeprefix("_") or "figure"}
            entries[f"{stem}.svg"] = _entry(f"theory_{kind}{part}", labels)
        if kind == "figure1":
            entries[f"{name}_animation.html"] = _entry(
                "theory_figure1_animation", {"experiment": title, "shows": "animation"}
            )
        if kind in PARTS:
            entries[f"{name}.html"] = _entry(
                "theory_objectives_table", {"experiment": title, "shows": "table"}
            )
    if not entries:
        return {}
    statements = {"experiment": "all statements", "shows": "table"}
    return {f"{STATEMENTS}.html": _entry(STATEMENTS, statements), **entries}


def _entry(caption: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"caption": f"{CAPTIONS}/{caption}.rst", "category": "6 Theory", "labels": labels}
