"""All figures of one experiment, or panels that say why there is nothing to draw."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ganbench.report.collect import ExperimentResults, Stored
from ganbench.report.facts import commits
from ganbench.report.formats import FORMATS
from ganbench.report.outputs import figure_file, figures_of
from ganbench.report.style import empty_figure, figure_style, save
from ganbench.report.table1.curves import bandwidth_figure, learning_curves_figure
from ganbench.report.table1.images import interpolation_figure, samples_figure
from ganbench.report.table1.rivals import methods, rivals_figure
from ganbench.report.table1.rows import TRAINING_IMAGES, seeds_status, table_rows
from ganbench.report.table1.scatter import samples_curve_figure, variance_figure
from ganbench.report.table1.variance import parts

FOOTER_WIDTH = 90  # characters that fit a figure's width
PICTURES_FOOTER_WIDTH = 65  # where letters are larger


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
        "samples_curve": _samples_curve,
    }
    with figure_style():
        for name in figures_of(results.experiment):
            function = draw[name]
            drawable = results.seeds_with("ok") or function is _learning_curves
            figure = function(results) if drawable else _nothing(results)
            for suffix in FORMATS:
                save(figure, folder / figure_file(name, results.name, suffix))


def _nothing(results: ExperimentResults) -> Figure:
    footer = _footer("no seed finished", results.stored)
    return empty_figure(results.experiment.title, footer, seeds_status(results))


def _footer(shown: str, drawn: Iterable[Stored], width: int = FOOTER_WIDTH) -> str:
    """What is shown and the commits of the records that it was drawn from."""
    made = f"rule report, commit {commits(stored.record.provenance for stored in drawn)}"
    return textwrap.fill(f"{shown}; {made}", width)


def _seeds_footer(results: ExperimentResults, stage: str) -> str:
    finished, status = results.seeds_with("ok"), seeds_status(results)
    seeds = f"seed{'s' if len(finished) > 1 else ''} {', '.join(map(str, finished))}"
    if not finished:
        seeds = "no seed finished"
    drawn = results.stages[stage].values()
    return _footer(seeds if status == "ok" else f"{seeds} ({status})", drawn)


def _samples(results: ExperimentResults) -> Figure:
    return _pictures(results, samples_figure)


def _interpolation(results: ExperimentResults) -> Figure:
    return _pictures(results, interpolation_figure)


def _pictures(results: ExperimentResults, draw: Callable[[Path, str, str, str], Figure]) -> Figure:
    """Those of the seed and state that are shown; published records come without them."""
    experiment, seed = results.experiment, results.shown_seed
    assert seed is not None  # figures are drawn only where a seed finished
    checkpoint = experiment.evaluation.checkpoints[0]
    sampled = results.stages["sample"][seed]
    state = checkpoint.replace("_", " ")
    shown = f"seed {seed} (of median validation likelihood), {state} epoch"
    footer = _footer(shown, [sampled], PICTURES_FOOTER_WIDTH)
    name = f"figures_{checkpoint}.npz"
    if not sampled.path.with_name(name).exists():
        return empty_figure(experiment.title, footer, f"seed_{seed}/{name} is not kept here")
    return draw(sampled.companion(name), experiment.preprocessing, experiment.title, footer)


def _learning_curves(results: ExperimentResults) -> Figure:
    finished, diverged = (_histories(results, status) for status in ("ok", "diverged"))
    if not finished and not diverged:
        return _nothing(results)
    footer = _seeds_footer(results, "train")
    return learning_curves_figure(finished, diverged, results.experiment.title, footer)


def _histories(results: ExperimentResults, status: str) -> dict[int, pd.DataFrame]:
    """A seed that diverged at once has none."""
    trained = {seed: results.stages["train"][seed] for seed in results.seeds_with(status)}
    return {
        seed: stored.history()
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
    baseline = results.baselines.metrics(name, checkpoint=TRAINING_IMAGES)
    footer = _seeds_footer(results, "evaluate")
    return bandwidth_figure(grids, baseline, results.experiment.title, footer)


def _samples_curve(results: ExperimentResults) -> Figure:
    name = "log_likelihood_by_samples"
    checkpoint = results.experiment.evaluation.checkpoints[0]
    training = results.baselines.metrics(name, checkpoint=TRAINING_IMAGES)
    curves = {
        f"seed {seed}": results.stages["evaluate"][seed].metrics(name, checkpoint=checkpoint)
        for seed in results.seeds_with("ok")
    }
    measured = {seed: curve for seed, curve in curves.items() if curve}
    title, footer = results.experiment.title, _seeds_footer(results, "evaluate")
    if not training:
        return empty_figure(title, footer, "measured with two draws or more")
    return samples_curve_figure(training, measured, title, footer)


def write_rivals_figure(experiments: Sequence[ExperimentResults], title: str, folder: Path) -> None:
    """Writes the figure of all methods' likelihoods; none without another paper's method."""
    shown = methods(experiments)
    if not shown:
        return
    first = next(one for one in experiments if one.experiment.dataset == "mnist")
    baselines = {
        row.source.removeprefix("baseline: "): row.log_likelihood
        for row in table_rows([first])
        if row.kind == "baseline" and row.log_likelihood is not None and row.log_likelihood > 0
    }
    drawn = [stored for one in experiments for stored in one.stages["evaluate"].values()]
    footer = _footer("all seeds that finished", drawn)
    with figure_style():
        figure = rivals_figure(shown, baselines, title, footer)
        for suffix in FORMATS:
            save(figure, folder / f"rivals.{suffix}")


def write_variance_figure(
    experiments: Sequence[ExperimentResults], title: str, folder: Path
) -> None:
    """Writes the figure of all experiments' parts of scatter, in every format, into a folder."""
    shown = [part for results in experiments for part in parts(results)]
    drawn = [stored for results in experiments for stored in results.stages["evaluate"].values()]
    footer = _footer("all seeds that finished", drawn)
    with figure_style():
        if any(part.deviation is not None for part in shown):
            figure = variance_figure(shown, title, footer)
        else:
            figure = empty_figure(title, footer, "no seed finished")
        for suffix in FORMATS:
            save(figure, folder / f"variance.{suffix}")
