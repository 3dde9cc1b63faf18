"""All figures of one experiment, or panels that say why there is nothing to draw."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ganbench.report.collect import ExperimentResults
from ganbench.report.curves import bandwidth_figure, learning_curves_figure
from ganbench.report.facts import commits
from ganbench.report.images import interpolation_figure, samples_figure
from ganbench.report.outputs import FORMATS, figure_file
from ganbench.report.rows import CALIBRATION, seeds_status
from ganbench.report.style import empty_figure, figure_style, save


def write_figures(results: ExperimentResults, folder: Path) -> None:
    """Writes every figure of an experiment, in every format, into a folder.

    Raises:
        GanbenchError: a file that a record describes is missing or changed.
    """
    draw: dict[str, Callable[[ExperimentResults], Figure]] = {
        "figure2": _samples,
        "interpolation": _interpolation,
        "learning_curves": _learning_curves,
        "bandwidth": _bandwidth,
    }
    with figure_style():
        for name, function in draw.items():
            figure = function(results) if results.seeds_with("ok") else _nothing(results)
            for suffix in FORMATS:
                save(figure, folder / figure_file(name, results.name, suffix))


def _nothing(results: ExperimentResults) -> Figure:
    return empty_figure(results.experiment.title, _footer(results), seeds_status(results))


def _footer(results: ExperimentResults, shown: str = "") -> str:
    commit = commits(stored.record.provenance for stored in results.stored)
    return "; ".join(filter(None, (shown, f"rule report, commit {commit}")))


def _seeds_footer(results: ExperimentResults) -> str:
    status = seeds_status(results)
    finished = results.seeds_with("ok")
    seeds = f"seed{'s' if len(finished) > 1 else ''} {', '.join(map(str, finished))}"
    return _footer(results, seeds if status == "ok" else f"{seeds} ({status})")


def _samples(results: ExperimentResults) -> Figure:
    return samples_figure(*_shown_pictures(results))


def _interpolation(results: ExperimentResults) -> Figure:
    return interpolation_figure(*_shown_pictures(results))


def _shown_pictures(results: ExperimentResults) -> tuple[Path, str, str, str]:
    """File, preprocessing, title and footer of the seed and state that are shown."""
    experiment, seed = results.experiment, results.seeds_with("ok")[0]
    checkpoint = experiment.evaluation.checkpoints[0]
    file = results.stages["sample"][seed].companion(f"figures_{checkpoint}.npz")
    state = checkpoint.replace("_", " ")
    footer = _footer(results, f"seed {seed} (the lowest that finished), {state} epoch")
    return file, experiment.preprocessing, experiment.title, footer


def _learning_curves(results: ExperimentResults) -> Figure:
    title, footer = results.experiment.title, _seeds_footer(results)
    finished, diverged = (_histories(results, status) for status in ("ok", "diverged"))
    return learning_curves_figure(finished, diverged, title, footer)


def _histories(results: ExperimentResults, status: str) -> dict[int, pd.DataFrame]:
    """A seed that diverged at once has none."""
    trained = {seed: results.stages["train"][seed] for seed in results.seeds_with(status)}
    return {
        seed: pd.read_csv(stored.companion("history.csv"))
        for seed, stored in trained.items()
        if "history.csv" in stored.record.files
    }


def _bandwidth(results: ExperimentResults) -> Figure:
    name = "validation_log_likelihood"
    checkpoint = results.experiment.evaluation.checkpoints[0]
    grids = {
        f"seed {seed}": results.stages["evaluate"][seed].metrics(name, checkpoint=checkpoint)
        for seed in results.seeds_with("ok")
    }
    calibration = results.calibrate.metrics(name, checkpoint=CALIBRATION)
    return bandwidth_figure(grids, calibration, results.experiment.title, _seeds_footer(results))
