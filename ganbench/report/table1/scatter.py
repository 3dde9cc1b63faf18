"""Figures of uncertainty: its parts side by side, and likelihood against the number of samples."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ganbench.records import Metric
from ganbench.report.style import MANY, PALETTE, new_figure, seed_band
from ganbench.report.table1.variance import Part

LINEAR_BELOW = 0.1  # nats: below it the axis is linear, so that it can show 0


def variance_figure(parts: Sequence[Part], title: str, footer: str) -> Figure:
    """Returns each experiment's parts as dots with intervals, one line a part.

    Args:
        parts: of all experiments, in order; at least one with a deviation.
        title: the suite.
        footer: commit.
    """
    shown = [part for part in parts if part.deviation is not None]
    names = list(dict.fromkeys(part.part for part in shown))
    colours = {name: PALETTE[number] for number, name in enumerate(names)}
    figure = new_figure(title, footer, height=1.1 + 0.2 * len(shown))
    axes = figure.subplots()
    for row, part in enumerate(shown):
        assert part.deviation is not None
        if part.interval:
            axes.plot(part.interval, (row, row), color=colours[part.part], linewidth=1)
        axes.plot(part.deviation, row, "o", color=colours[part.part], markersize=4)
    labels = [f"{part.title}: {part.part}" for part in shown]
    axes.set_yticks(range(len(shown)), labels, parse_math=False)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=LINEAR_BELOW)
    # A little below 0, so that a part of 0 lies within the axes.
    furthest = max(max(part.deviation or 0, *(part.interval or (0,))) for part in shown)
    axes.set_xlim(left=-LINEAR_BELOW / 5, right=2 * max(furthest, LINEAR_BELOW))
    axes.set_xlabel("standard deviation (nats)")
    axes.grid(axis="x", linewidth=0.3)
    return figure


def samples_curve_figure(
    training: Sequence[Metric], models: Mapping[str, Sequence[Metric]], title: str, footer: str
) -> Figure:
    """Returns log-likelihood against the number of samples, the bandwidth chosen anew at each.

    Args:
        training: `log_likelihood_by_samples` of training images.
        models: the same of each seed, by the name of its line; may be empty.
        title: the experiment.
        footer: state and commit.
    """
    figure = new_figure(title, footer, height=3.0)
    axes = figure.subplots()
    if len(models) > MANY:
        curves = pd.DataFrame({label: _by_size(metrics) for label, metrics in models.items()})
        seed_band(axes, curves, PALETTE[0], f"median of {len(models):,} seeds")
        models = {}
    lines = [
        (label, metrics, PALETTE[number % len(PALETTE)], "-")
        for number, (label, metrics) in enumerate(models.items())
    ]
    for label, metrics, colour, style in [*lines, ("training images", training, "black", "--")]:
        curve = _by_size(metrics)
        axes.plot(curve, style, color=colour, label=label, marker="o", markersize=2.5)
    axes.set(xscale="log", xlabel="samples (the bandwidth chosen anew at each number)")
    axes.set_ylabel("test log-likelihood (nats)")
    figure.legend(loc="outside right upper")
    return figure


def _by_size(metrics: Sequence[Metric]) -> pd.Series:
    return pd.Series({float(metric.labels["n_centers"]): metric.value for metric in metrics})
