"""Figures of games: the paper's Figure 1 and its animation, and the objectives side by side."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ganbench.records import Record
from ganbench.report.style import PALETTE, SMALL, new_figure
from ganbench.report.theory.tables import score_names, score_ranges, scores, summary

Arrays = dict[str, np.ndarray]
BLUE, ORANGE, GREEN = PALETTE[0], PALETTE[1], PALETTE[2]
MOMENTS = ("a) near convergence", "b) D trained on", "c) G trained on", "d) the end")
VISIBLE = 1e-2  # D* is drawn where a density exceeds this part of the highest peak
FRAME_MS = 120
REST_MS = 2000
COLOURS = 64  # of the animation
ANIMATION_DPI = 110
PICTURE_COLUMNS = 4


def figure1_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:  # noqa: ARG001
    """Returns the four moments of the paper's Figure 1, of the first seed."""
    figure = new_figure(title, footer, height=2.9)
    panels = figure.subplots(1, 4, sharey=True)
    for index, (axes, moment) in enumerate(zip(panels, MOMENTS, strict=True)):
        state = {name: arrays[f"moment_{name}"][index, 0] for name in ("mass", "learned", "arrows")}
        _game(axes, arrays, state)
        axes.set_title(moment, loc="left", fontsize=SMALL)
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper right", ncols=4, handlelength=1.5)
    return figure


def animate(arrays: Arrays, title: str, path: Path) -> None:
    """Writes the game as a GIF that rests at its end."""
    frames = [_frame(arrays, title, index) for index in range(len(arrays["frame_mass"]))]
    durations = [FRAME_MS] * (len(frames) - 1) + [REST_MS]
    first, *others = frames
    first.save(path, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)


def _frame(arrays: Arrays, title: str, index: int) -> Image.Image:
    figure = new_figure(title, "frames crowd at the start, where more happens", height=3.4)
    axes = figure.subplots()
    state = {name: arrays[f"frame_{name}"][index] for name in ("mass", "learned", "arrows")}
    _game(axes, arrays, state)
    axes.legend(loc="upper left")
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(ANIMATION_DPI)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(COLOURS)


def _game(axes: Axes, arrays: Arrays, state: Arrays) -> None:
    """Densities and D above, the map from z to x below, as the paper draws them."""
    x, data, made = arrays["x"], arrays["data_mass"], state["mass"]
    cell = x[1] - x[0]
    axes.plot(x, data / cell, "k:", lw=1.2, label="p_data")
    axes.plot(x, made / cell, color=GREEN, lw=1.2, label="p_g")
    total = data + made
    seen = total > VISIBLE * total.max()
    best = np.divide(data, total, out=np.full_like(data, np.nan), where=seen)
    axes.plot(x, best, color=ORANGE, lw=0.8, label="D*")
    axes.plot(x, state["learned"], "--", color=BLUE, lw=1.2, label="D")
    z = (arrays["z"] - arrays["z"][0]) / np.ptp(arrays["z"]) * np.ptp(x) + x[0]
    for start, end in zip(z, state["arrows"], strict=True):
        axes.annotate("", (end, -0.15), (start, -0.55), arrowprops=ARROW, annotation_clip=False)
    axes.axhline(-0.15, color="0.3", lw=0.6)
    axes.axhline(-0.55, color="0.3", lw=0.6)
    axes.text(x[-1], -0.13, "x", fontsize=SMALL, va="bottom", ha="right")
    axes.text(x[-1], -0.53, "z", fontsize=SMALL, va="bottom", ha="right")
    axes.set(xlim=(x[0], x[-1]), ylim=(-0.6, 1.25), xticks=[], yticks=[0, 0.5, 1])


ARROW = {"arrowstyle": "->", "lw": 0.4, "color": "0.4", "shrinkA": 0, "shrinkB": 0}


def samples_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns samples of the first seed under every setting."""
    settings = record.config["study"]["settings"]
    columns = 4
    rows = -(-len(settings) // columns)
    figure = new_figure(title, footer, height=1.35 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    reach = 1.4 * float(np.abs(arrays["centres"]).max())
    for index, axes in enumerate(panels):
        if index >= len(settings):
            axes.set_axis_off()
            continue
        setting = settings[index]
        axes.plot(*arrays["real"].T, ".", ms=0.8, color="0.8", rasterized=True)
        axes.plot(
            *arrays[f"samples_{index}"].T, ".", ms=0.9, color=BLUE, alpha=0.6, rasterized=True
        )
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        axes.set_title(
            f"{setting['objective']}\n{setting['update']}, k = {setting['k']}",
            loc="left",
            fontsize=SMALL,
        )
    return figure


def pictures_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns the first images that the first seed drew under every setting, none picked."""
    settings = record.config["study"]["settings"]
    rows = -(-len(settings) // PICTURE_COLUMNS)
    figure = new_figure(title, footer, height=1.35 * rows + 0.5)
    panels = figure.subplots(rows, PICTURE_COLUMNS, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()
    for index, setting in enumerate(settings):
        images = arrays[f"samples_{index}"][:, 0]
        sheet = np.concatenate([np.concatenate(row, axis=1) for row in np.split(images, 4)])
        panels[index].imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        name = f"{setting['objective']}\n{setting['update']}, k = {setting['k']}"
        panels[index].set_title(name, loc="left", fontsize=SMALL)
    return figure


def scores_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:  # noqa: ARG001
    """Returns every seed's scores and the simultaneous intervals of each setting's mean."""
    frame, headings = scores(record), score_names(record)
    rows = summary(frame, headings, score_ranges(record))
    rows = rows[rows["minus"] == ""].reset_index(drop=True)
    height = -(-len(headings) // 2)
    figure = new_figure(title, footer, height=2.5 * height)
    panels = figure.subplots(height, min(2, len(headings)), sharey=True, squeeze=False).flatten()
    for axes, (name, (label, _)) in zip(panels, headings.items(), strict=True):
        for row, setting in rows.iterrows():
            own = frame.loc[frame["setting"] == setting["setting"], name]
            axes.plot(own, [row] * len(own), "o", ms=2.5, color=ORANGE, alpha=0.6)
            axes.plot([setting[f"{name}_low"], setting[f"{name}_high"]], [row, row], color=BLUE)
            axes.plot(setting[name], row, "|", ms=7, color=BLUE)
        axes.set_title(label, loc="left")
        axes.grid(axis="y", lw=0.3)
    names = [
        name.replace("alternating", "alt.").replace("simultaneous", "sim.")
        for name in rows["setting"]
    ]
    for axes in panels:
        axes.set_yticks(range(len(rows)), names)
    panels[0].invert_yaxis()
    return figure


def critics_figure(record: Record, arrays: Arrays, title: str, footer: str) -> Figure:
    """Returns what Wasserstein critics estimate during training, beside the exact distance."""
    settings = record.config["study"]["settings"]
    chosen = [i for i, setting in enumerate(settings) if f"critic_{i}" in arrays]
    figure = new_figure(title, footer, height=2.8)
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for axes, index in zip(panels, chosen, strict=True):
        estimate, slope, _, exact = np.moveaxis(arrays[f"critic_{index}"], -1, 0)
        done = np.arange(1, len(exact) + 1) / len(exact)
        # a critic whose units are all off has no slope: nothing is drawn there
        scaled = np.divide(estimate, slope, out=np.full_like(slope, np.nan), where=slope > 0)
        axes.plot(done, exact, color=BLUE, lw=0.8)
        axes.plot(done, scaled, "--", color=ORANGE, lw=0.8)
        axes.plot([], color=BLUE, label="exact Wasserstein-1")
        axes.plot([], "--", color=ORANGE, label="critic's estimate / steepest slope")
        axes.set(xlabel="share of the training done")
        axes.set_title(f"wasserstein, {settings[index]['update']}", loc="left")
    panels[0].set_ylabel("distance")
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(low, high + 0.35 * (high - low))  # room for the legend
    panels[0].legend(loc="upper left")
    return figure
