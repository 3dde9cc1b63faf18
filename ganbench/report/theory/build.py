"""The theory section of a report: tables and figures, from records and their arrays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ganbench import chain
from ganbench.archives import read_npz
from ganbench.config import settings_digest
from ganbench.errors import GanbenchError
from ganbench.inputs import shown
from ganbench.provenance import atomic_path
from ganbench.records import Record, read_record, refuse_stale
from ganbench.report.collect import Stored
from ganbench.report.facts import commits
from ganbench.report.formats import FORMATS
from ganbench.report.page import write_picture_page
from ganbench.report.style import figure_style, save
from ganbench.report.table1.table import PrintedTable, write_printed_table
from ganbench.report.theory.figures import (
    descent_figure,
    helvetica_figure,
    identities_figure,
    image_saturation_figure,
    optimal_discriminator_figure,
    saturation_figure,
)
from ganbench.report.theory.games import (
    animate,
    critics_figure,
    figure1_figure,
    pictures_figure,
    samples_figure,
    scores_figure,
)
from ganbench.report.theory.outputs import PARTS, STATEMENTS, figures, theory_experiments
from ganbench.report.theory.tables import objectives, statements
from ganbench.theory.config import TheoryExperiment

Arrays = dict[str, np.ndarray]
Draw = Callable[[Record, Arrays, str, str], Figure]
FIGURES: dict[str, Draw] = {
    "identities": identities_figure,
    "optimal_discriminator": optimal_discriminator_figure,
    "descent": descent_figure,
    "figure1": figure1_figure,
    "saturation": saturation_figure,
    "objectives_samples": samples_figure,
    "objectives_scores": scores_figure,
    "objectives_critics": critics_figure,
    "helvetica": helvetica_figure,
    "image_objectives_samples": pictures_figure,
    "image_objectives_scores": scores_figure,
    "image_saturation": image_saturation_figure,
}


def build(suite_config: Path, results: Path, folder: Path) -> list[PrintedTable]:
    """Writes the theory section of a suite into a folder and returns its tables.

    Args:
        suite_config: the suite file.
        results: the suite's folder of results; an experiment's record is NAME/theory.json there.
        folder: where `theory_outputs.outputs(suite_config)` go.

    Raises:
        GanbenchError: a record is missing, malformed, or made with other settings.
    """
    stored = {
        name: (experiment, _read(results / name / "theory.json", config, experiment, seeds))
        for name, config, experiment, seeds in theory_experiments(suite_config)
    }
    if not stored:
        return []
    records = [(experiment.title, one.record) for experiment, one in stored.values()]
    table, csv = statements(records)
    write_printed_table(table, csv, folder, STATEMENTS)
    tables = [table]
    for name, (experiment, one) in stored.items():
        tables += _experiment(name, experiment, one, folder)
    return tables


def _read(path: Path, config: Path, experiment: TheoryExperiment, seeds: tuple[int, ...]) -> Stored:
    record = read_record(path)
    now = settings_digest({"study": experiment.study.model_dump(mode="json"), "seeds": list(seeds)})
    refuse_stale(path, record.config_digest, now, config)
    chain.refuse({path: record})
    if record.experiment != path.parent.name:
        raise GanbenchError(
            f"{path}: is of the experiment {shown(record.experiment)}; put it where it belongs"
        )
    return Stored(path, record)


def _experiment(
    name: str, experiment: TheoryExperiment, one: Stored, folder: Path
) -> list[PrintedTable]:
    """Writes the figures of one experiment, and its table where it has one."""
    record, kind = one.record, experiment.study.kind
    arrays = read_npz(one.companion("theory.npz"), None, "run `ganbench theory` again")
    seeds = ", ".join(map(str, record.config["seeds"]))
    footer = f"seeds {seeds}; rule theory, commit {commits([record.provenance])}"
    with figure_style():
        for stem in figures(name, experiment):
            draw = FIGURES[f"{kind}{stem.removeprefix(name)}"]
            figure = draw(record, arrays, experiment.title, footer)
            for suffix in FORMATS:
                save(figure, folder / f"{stem}.{suffix}")
        if kind == "figure1":
            with atomic_path(folder / f"{name}.gif") as temporary:
                animate(arrays, experiment.title, temporary)
            write_picture_page(
                folder / f"{name}.gif", folder / f"{name}_animation.html", experiment.title
            )
    if kind not in PARTS:
        return []
    table, csv = objectives(experiment.title, record)
    write_printed_table(table, csv, folder, name)
    return [table]
