"""Figures of the identities, the optimal discriminator, descent, saturation and Helvetica."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ganbench.records import Record
from ganbench.report.style import PALETTE, SMALL, legend_above, new_figure

Arrays = dict[str, np.ndarray]
BLUE, ORANGE, GREEN, RED = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[3]
LOG_4 = float(np.log(4))
FLOOR = 1e-17  # where an error of exactly 0 is drawn
STICKY = 1  # the descent that is drawn: it starts at the data's smaller mode
PHASES = ("in step", "D frozen", "in step again")
SERIES = {
    0: "diversity: mean distance, data = 1",
    1: "modes covered, of 8",
    3: "V(D, G) (nats)",
    4: "mean D(G(z))",
}
LOSSES = {"non_saturating": "-log D (non-saturating)", "minimax": "log(1 - D) (minimax)"}
PROBLEMS = ("shifted normals", "mixture", "heavy tails")
HANDICAPS = {"dropout": "dropout", "small": "one unit a layer", "few": "few samples"}
HANDICAP_COLOURS = {"dropout": ORANGE, "small": RED, "few": PALETTE[4]}


def identities_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns C(G) of two normals against their distance, and the error of every pair."""
    figure = new_figure(title, footer, height=6.4)
    halves = np.asarray(figure.subfigures(2, 1, height_ratios=[2, 4.4]))
    _best_values(halves[0].subplots(), arrays)
    axes = halves[1].subplots()
    frame = pd.DataFrame([m.labels | {"name": m.name, "value": m.value} for m in record.metrics])
    sides = frame.dropna(subset="pair").pivot_table(
        index=["dimension", "pair", "means"], columns="name", values="value", sort=False
    )
    errors = (sides["best_value"] - sides["divergence_side"]).abs().clip(lower=FLOOR)
    rows = errors.to_frame("error").reset_index()
    # By colour: names of pairs and means together are too long for a line.
    for colour, (means, one) in zip(PALETTE, rows.groupby("means", sort=False), strict=False):
        axes.plot(one["error"], one.index, "o", ms=3, color=colour, label=means)
    pairs = rows[["pair", "dimension"]].to_numpy()
    names = [f"{pair} ({dimension:.0f}-D)" for pair, dimension in pairs]
    axes.set_yticks(range(len(rows)), names)
    axes.set(xscale="log", xlabel="difference (nats), at least 1e-17")
    axes.axvline(1e-9, color="0.5", ls="--", lw=0.8)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    halves[1].legend(
        loc="outside upper left", ncols=2, title="the second side by", title_fontsize=SMALL
    )
    return figure


def _best_values(axes: Axes, arrays: Arrays) -> None:
    shift = arrays["shift"]
    axes.plot(shift, arrays["shift_best_value"], color=BLUE, label="C(G), by quadrature")
    other = arrays["shift_divergence_side"]
    axes.plot(shift, other, "o", ms=3, color=ORANGE, label="-log 4 + 2 JSD, by two KL terms")
    axes.axhline(-LOG_4, color="0.5", ls="--", lw=0.8)
    axes.text(shift[0], -LOG_4, "-log 4", va="bottom", fontsize=7)
    axes.set(xlabel="mean of p_g less mean of p_data (normals of deviation 1)", ylabel="nats")
    legend_above(axes, "C(G) is lowest where p_g = p_data")


def optimal_discriminator_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns learned against optimal D, what three handicaps do, and the error by sample size."""
    figure = new_figure(title, footer, height=5.6)
    panels = figure.subplots(3, 2).flatten()
    x = arrays["x"]
    for axes, name in zip(panels, PROBLEMS, strict=False):
        key = name.replace(" ", "_")
        _densities(axes, x, arrays[f"{key}_data"], arrays[f"{key}_generator"])
        axes.plot(x, arrays[f"{key}_optimal"], color=BLUE, label="D*")
        axes.plot(x, arrays[f"{key}_learned"], "--", color=ORANGE, label="trained D")
        axes.set_title(name, loc="left")
    legend_above(panels[0], PROBLEMS[0])
    _handicaps(panels[3], x, arrays)
    _variant_errors(panels[4], record)
    _sample_errors(panels[5], arrays)
    for axes in panels[:4]:
        axes.set(ylim=(0, 1.02), xlim=(-6, 6), xlabel="x", ylabel="D(x)")
    return figure


def _densities(axes: Axes, x: np.ndarray, data: np.ndarray, made: np.ndarray) -> None:
    """Both densities on one scale, faint, as the background."""
    peak = max(data.max(), made.max()) / 0.9
    axes.fill_between(x, data / peak, color="0.6", alpha=0.35, lw=0)
    axes.fill_between(x, made / peak, color=GREEN, alpha=0.2, lw=0)


def _handicaps(axes: Axes, x: np.ndarray, arrays: Arrays) -> None:
    axes.plot(x, arrays["mixture_optimal"], color=BLUE, lw=2)
    # Their names are in the panel of errors, in these colours.
    for key, colour in HANDICAP_COLOURS.items():
        axes.plot(x, arrays[f"handicap_{key}"], "--", color=colour, lw=1)
    axes.set_title("mixture, handicapped D", loc="left")


def _variant_errors(axes: Axes, record: Record) -> None:
    """Every error, one row a variant and one point a seed (and pair)."""
    variants = {"exact": "none", **HANDICAPS}
    for row, variant in enumerate(variants):
        errors = [
            metric.value for metric in record.metrics if metric.labels.get("variant") == variant
        ]
        colour = HANDICAP_COLOURS.get(variant, BLUE)
        axes.plot(errors, [row] * len(errors), "o", ms=3, color=colour, alpha=0.6)
    axes.axvline(1e-2, color="0.5", ls="--", lw=0.8)
    axes.set_yticks(range(len(variants)), list(variants.values()))
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="largest |D - D*|; dashed: bound")
    axes.set_title("handicap", loc="left")


def _sample_errors(axes: Axes, arrays: Arrays) -> None:
    sizes, errors = arrays["sample_sizes"], arrays["sample_errors"]
    axes.plot(sizes, errors, "o", ms=3, color=BLUE, alpha=0.6)
    axes.plot(sizes, errors.mean(axis=1), color=BLUE, label="mean")
    axes.set(
        xscale="log", yscale="log", xlabel="samples of each density", ylabel="largest |D - D*|"
    )
    axes.set_title("finite samples", loc="left")


def descent_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns C(G) during descent in p_g, one such descent, and a parametric G that sticks."""
    figure = new_figure(title, footer, height=5.2)
    falling, moving, family, paths = figure.subplots(2, 2).flatten()
    names = [m.labels["case"] for m in record.metrics if m.name == "descent_final"]
    for index, name in enumerate(names):
        gap = arrays[f"descent_{index}_best_value"] + LOG_4
        falling.plot(np.maximum(gap, FLOOR), color=PALETTE[index], label=name)
    falling.axhline(1e-3, color="0.5", ls="--", lw=0.8)
    falling.set(yscale="log", ylim=(1e-13, 1e13), xlim=(0, 80))  # room for the legend
    falling.set(xlabel="step", ylabel="C(G) + log 4 (nats)")
    falling.set_title("in p_g: always down", loc="left")
    falling.legend(loc="upper right", handlelength=0.8, handletextpad=0.4)
    _moving_density(moving, arrays, STICKY)
    moving.set_title(names[STICKY], loc="left")
    means, paths_of_mean = arrays["means"], arrays["mean_paths"]
    family.plot(means, arrays["mean_best_value"], color=BLUE)
    ends = paths_of_mean[:, -1]
    family.plot(ends, np.interp(ends, means, arrays["mean_best_value"]), "o", color=ORANGE, ms=4)
    family.set(xlabel="the parameter: mean of p_g", ylabel="C(G) (nats)")
    family.set_title("in one parameter: two valleys", loc="left")
    paths.plot(paths_of_mean.T, color=ORANGE, lw=1)
    paths.set(xscale="symlog", xlim=(0, None), xlabel="step", ylabel="mean of p_g")
    paths.set_title("where each start ends", loc="left")
    return figure


def _moving_density(axes: Axes, arrays: Arrays, case: int) -> None:
    grid = arrays["grid"]
    cell = grid[1] - grid[0]
    axes.plot(grid, arrays[f"descent_{case}_target"] / cell, "k:", lw=1.5, label="p_data")
    densities = arrays[f"descent_{case}_densities"] / cell
    for row, (density, step) in enumerate(zip(densities, (0, 2, 5, 15, "last"), strict=True)):
        colour = GREEN if step == "last" else str(0.8 - 0.15 * row)
        axes.plot(grid, density, color=colour, lw=1, label=f"step {step}")
    axes.set(xlim=(-6, 6), xlabel="x", ylabel="density")
    axes.legend(loc="upper center", ncols=2)
    axes.set_ylim(top=1.7 * float(densities.max()))  # room for the legend


def saturation_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:  # noqa: ARG001
    """Returns both gradients under the exact D*, and under a D trained further and further."""
    figure = new_figure(title, footer, height=2.9)
    exact, trained = figure.subplots(1, 2)
    shift = arrays["shift"]
    exact.plot(shift, arrays["exact_non_saturating"], color=BLUE, label=LOSSES["non_saturating"])
    exact.plot(shift, arrays["exact_minimax"], color=ORANGE, label=LOSSES["minimax"])
    exact.set(xlabel="distance of p_g from p_data (sd)", ylabel="gradient of G's loss")
    exact.set_title("D at its optimum", loc="left")
    exact.legend()
    _trained_gradients(trained, arrays)
    return figure


def image_saturation_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:  # noqa: ARG001
    """Returns both gradients under a D trained further and further on images."""
    figure = new_figure(title, footer, height=2.9)
    axes = figure.subplots()
    _trained_gradients(axes, arrays)
    axes.legend()
    return figure


def _trained_gradients(axes: Axes, arrays: Arrays) -> None:
    fooled = arrays["trained_fooled"]
    for name, colour in (("non_saturating", BLUE), ("minimax", ORANGE)):
        axes.plot(fooled, arrays[f"trained_{name}"], ".-", color=colour, ms=3, lw=0.7)
        axes.plot([], color=colour, label=LOSSES[name])
    axes.set(xscale="log", yscale="log", xlabel="mean D(G(z)), falling")
    axes.set_ylabel("norm of G's gradient")
    axes.invert_xaxis()
    axes.set_title("a fixed early G, D trained on", loc="left")


def helvetica_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:  # noqa: ARG001
    """Returns samples after each phase, and what happens to them in between."""
    figure = new_figure(title, footer, height=5.4)
    grid = figure.add_gridspec(3, 6, height_ratios=[1.7, 1, 1])
    for column, phase in enumerate(PHASES):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        made = arrays[f"{phase.replace(' ', '_')}_samples"][0]
        axes.plot(*arrays["real"].T, ".", ms=1, color="0.8", rasterized=True)
        axes.plot(*made.T, ".", ms=1.5, color=BLUE, alpha=0.5, rasterized=True)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")
        axes.set_title(phase, loc="left")
    times, history = arrays["times"], arrays["history"]
    for index, (column, name) in enumerate(SERIES.items()):
        axes = figure.add_subplot(grid[1 + index // 2, 3 * (index % 2) : 3 * (index % 2) + 3])
        axes.plot(times, history[:, :, column], color=BLUE, lw=0.7)
        frozen, again, _ = arrays["phase_ends"]
        axes.axvline(frozen, color=RED, ls="--", lw=0.8)
        axes.axvline(again, color=GREEN, ls="--", lw=0.8)
        axes.set_title(name, loc="left")
        if index >= 2:
            axes.set_xlabel("updates of G")
    return figure
