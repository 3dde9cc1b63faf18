"""Curves over seeds: training as it proceeds, and the choice of the bandwidth."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganbench.records import Metric
from ganbench.report.statistics import MANY
from ganbench.report.style import PALETTE, legend_above, new_figure, seed_band

Colour = tuple[float, float, float] | str
DISCRIMINATOR, GENERATOR, SCORE = PALETTE[0], PALETTE[1], PALETTE[2]
# Title, axis with unit, and (column of history.csv, label, colour) of each line.
PANELS = (
    (
        "validation log-likelihood",
        "nats",
        (("validation_log_likelihood", "Parzen window", SCORE),),
    ),
    (
        "pairs alike (data: 0.01)",
        "share",
        (("collapse_share", "generated", GENERATOR),),
    ),
    (
        "losses",
        "nats",
        (
            ("discriminator_loss", "discriminator", DISCRIMINATOR),
            ("generator_loss", "generator", GENERATOR),
        ),
    ),
    (
        "mean output of D",
        "probability",
        (("d_real", "D(x)", DISCRIMINATOR), ("d_fake", "D(G(z))", GENERATOR)),
    ),
    (
        "gradient norms",
        "L2 norm",
        (
            ("discriminator_gradient_norm", "discriminator", DISCRIMINATOR),
            ("generator_gradient_norm", "generator", GENERATOR),
        ),
    ),
)
LAYOUT = "AB;CD;EF"  # in the order of the panels; F: likelihood against learning rate
FEW = 12  # points of a line that are marked
CHOICE: dict[str, Any] = {"s": 45, "facecolors": "none", "linewidths": 1.2, "zorder": 3}


def learning_curves_figure(
    finished: Mapping[int, pd.DataFrame],
    diverged: Mapping[int, pd.DataFrame],
    title: str,
    footer: str,
) -> Figure:
    """Returns curves over epochs, and validation log-likelihood against the learning rate.

    Args:
        finished: history.csv of each seed that finished.
        diverged: history.csv of each seed that did not, drawn dotted and in no mean; one at least
            of the two has a seed.
        title: the experiment.
        footer: seeds and commit.
    """
    figure = new_figure(title, footer, height=5.4)
    *panels, by_rate = figure.subplot_mosaic(LAYOUT).values()
    for axes, (name, unit, columns) in zip(panels, PANELS, strict=True):
        for column, label, colour in columns:
            _seed_lines(axes, _curves(finished, column), _curves(diverged, column), label, colour)
        _mark_phases(axes, next(iter((finished or diverged).values())))
        axes.set_ylabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        if len(columns) > 1:
            legend_above(axes, name)
        else:
            axes.set_title(name, loc="left")
    _, alike, _, outputs, gradients = panels
    # A little beyond, or a curve at 0 or 1 would lie under the frame.
    alike.set(ylim=(-0.03, 1.03))
    outputs.set(ylim=(-0.03, 1.03))
    gradients.set(yscale="log", xlabel="epoch")
    outputs.set(xlabel="epoch")
    _likelihood_by_rate(by_rate, finished, diverged)
    return figure


def _likelihood_by_rate(
    axes: Axes, finished: Mapping[int, pd.DataFrame], diverged: Mapping[int, pd.DataFrame]
) -> None:
    """Each seed's validation log-likelihood against the learning rate, which falls to the right."""
    for histories, style in ((finished, "-"), (diverged, ":")):
        if len(histories) > MANY:
            _median_by_rate(axes, histories, style)
            continue
        for history in histories.values():
            monitored = history.dropna(subset="validation_log_likelihood")
            # Each phase begins anew with the first rate: a line of its own.
            for _, phase in monitored.groupby("phase"):
                rates, values = phase["learning_rate"], phase["validation_log_likelihood"]
                points = _marker(len(values))
                axes.plot(rates, values, style, color=SCORE, linewidth=0.8, **points)
    axes.set_title("likelihood by learning rate", loc="left")
    axes.set(xlabel="learning rate", ylabel="nats")
    # Where the rate falls by less than tenfold, a logarithmic axis has no ticks worth printing.
    low, high = axes.dataLim.intervalx
    if high > 10 * low:
        axes.set_xscale("log")
    else:
        # They may differ in the fifth digit only: long labels, of which two have room.
        axes.set_xticks([low, high], [f"{low:.5g}", f"{high:.5g}"])
    axes.invert_xaxis()


def _median_by_rate(axes: Axes, histories: Mapping[int, pd.DataFrame], style: str) -> None:
    """Many seeds as quantiles; of one epoch and phase all have the same learning rate."""
    columns = ["phase", "learning_rate", "validation_log_likelihood"]
    joined = pd.concat([one[columns].assign(seed=seed) for seed, one in histories.items()])
    for _, phase in joined.dropna().groupby("phase"):
        table = phase.pivot_table(
            index="learning_rate", columns="seed", values="validation_log_likelihood"
        )
        seed_band(axes, table, SCORE, "_", style)


def _curves(histories: Mapping[int, pd.DataFrame], column: str) -> list[pd.Series]:
    """A column of each seed by epoch, where it was recorded: older histories lack some."""
    return [
        pd.Series(history[column].to_numpy(), index=history["epoch"]).dropna()
        for history in histories.values()
        if column in history
    ]


def _seed_lines(
    axes: Axes,
    finished: Sequence[pd.Series],
    diverged: Sequence[pd.Series],
    label: str,
    colour: Colour,
) -> None:
    """Draws each seed thin, with two that finished or more also their mean and range.

    More than `MANY` are drawn as quantiles.
    """
    if len(finished) > MANY:
        seed_band(axes, pd.concat(finished, axis="columns"), colour, label)
    elif finished:
        table = pd.concat(finished, axis="columns")
        mean = table.mean(axis="columns")
        points = _marker(len(mean))
        axes.plot(mean.index, mean, color=colour, label=label, linewidth=1.4, **points)
        if len(finished) > 1:
            low, high = table.min(axis="columns"), table.max(axis="columns")
            axes.fill_between(mean.index, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(table.index, table, color=colour, linewidth=0.5, alpha=0.5)
    if len(diverged) > MANY:
        named = "_" if finished else label
        seed_band(axes, pd.concat(diverged, axis="columns"), colour, named, ":")
        return
    for number, curve in enumerate(diverged):
        # A label that begins with an underscore is left out of the legend.
        named = label if not finished and number == 0 else "_"
        points = _marker(len(curve))
        axes.plot(curve.index, curve, ":", color=colour, label=named, linewidth=0.8, **points)
    if not finished and not diverged:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center")


def _marker(points: int) -> dict[str, Any]:
    """A line of few points shows where it was measured, and one point is no line at all."""
    return {"marker": "o", "markersize": 3} if points <= FEW else {}


def _mark_phases(axes: Axes, history: pd.DataFrame) -> None:
    """A dashed line where a later training phase begins."""
    begins = history["phase"].diff() > 0
    for first in history.loc[begins, "epoch"]:
        axes.axvline(first - 0.5, color="0.5", linestyle="--", linewidth=0.8)


def bandwidth_figure(
    grids: Mapping[str, Sequence[Metric]], baseline: Sequence[Metric], title: str, footer: str
) -> Figure:
    """Returns validation log-likelihood against the bandwidth, with the grid and the choice marked.

    Args:
        grids: `validation_log_likelihood` metrics of each seed, by the name of its line; may be
            empty.
        baseline: the same metrics of training images taken as samples.
        title: the experiment.
        footer: state and commit.
    """
    figure = new_figure(title, footer, height=2.6)
    axes = figure.subplots()
    if len(grids) > MANY:
        _bandwidth_bands(axes, grids)
    else:
        for (label, grid), colour in zip(grids.items(), _cycle(len(grids)), strict=True):
            _bandwidth_lines(axes, grid, label, colour, "-")
    _bandwidth_lines(axes, baseline, "training images", "black", "--")
    sigmas = sorted({float(metric.labels["sigma"]) for metric in baseline})
    axes.set(xscale="log", xlabel="bandwidth sigma (units of the pixels), at the grid's points")
    axes.set_ylabel("validation log-likelihood (nats)")
    axes.set_title("choice of the bandwidth", loc="left")
    axes.set_xticks(sigmas, [f"{sigma:.2f}" for sigma in sigmas])
    axes.minorticks_off()
    axes.scatter([], [], **CHOICE, edgecolors="0.3", label="chosen")
    if len(grids) > MANY:
        axes.set_title("choice of the bandwidth; circles: share of seeds", loc="left")
    figure.legend(loc="outside right upper")
    return figure


def _bandwidth_lines(
    axes: Axes, grid: Sequence[Metric], label: str, colour: Colour, style: str
) -> None:
    """One line for each fold."""
    points = pd.DataFrame(
        [{"fold": 0} | metric.labels | {"value": metric.value} for metric in grid]
    )
    for fold, one in points.sort_values("sigma").groupby("fold"):
        axes.plot(
            one["sigma"],
            one["value"],
            style,
            color=colour,
            label=label if fold == 0 else None,
            linewidth=0.9,
            marker="o",
            markersize=2.5,
        )
        best = one.loc[one["value"].idxmax()]
        axes.scatter(best["sigma"], best["value"], edgecolors=[colour], **CHOICE)


def _bandwidth_bands(axes: Axes, grids: Mapping[str, Sequence[Metric]]) -> None:
    """Many seeds as quantiles; circles on the median have the area of the share that chose it."""
    points = pd.DataFrame(
        [
            {"seed": seed, "fold": 0} | metric.labels | {"value": metric.value}
            for seed, grid in grids.items()
            for metric in grid
        ]
    )
    curves = points.pivot_table(index="sigma", columns=["seed", "fold"], values="value")
    seed_band(axes, curves, PALETTE[0], f"median of {len(grids):,} seeds")
    share = curves.idxmax().value_counts(normalize=True)
    circles: dict[str, Any] = CHOICE | {"s": 200 * share}
    axes.scatter(share.index, curves.median(axis=1)[share.index], edgecolors="0.3", **circles)


def _cycle(count: int) -> list[Colour]:
    return [PALETTE[number % len(PALETTE)] for number in range(count)]
