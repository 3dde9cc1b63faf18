"""How every figure looks, and how it becomes the same bytes from the same numbers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.provenance import atomic_path

WIDTH = 4.6  # inches
DPI = 200  # 920 pixels wide
SMALL = 7.0  # points: the least that is read on paper
MANY = 8  # seeds; more are drawn as quantiles, not one by one
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
ON_SCREEN = 1.6  # times the size on paper
SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
PALETTE = sns.color_palette("colorblind")

STYLE: dict[Any, Any] = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so it is the same everywhere
    "font.size": 8,
    "axes.formatter.useoffset": False,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "legend.fontsize": 7,
    "legend.frameon": False,
    "svg.hashsalt": "ganbench",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}
# Matplotlib would otherwise write the date, its version and a link.
METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


@contextmanager
def figure_style() -> Iterator[None]:
    """Within it, figures are made in the style of the report."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(title: str, footer: str, height: float, small: float = SMALL) -> Figure:
    """Returns an empty figure with its heading, and below it where it comes from.

    Args:
        title: the experiment.
        footer: seeds, state and commit.
        height: inches.
        small: points, of the footer.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    # A title's dollars and backslashes are no mathematics.
    figure.suptitle(title, x=0.02, ha="left", parse_math=False, fontsize=max(9, small + 1))
    figure.supxlabel(footer, x=0.02, ha="left", fontsize=small, color="0.35")
    return figure


def empty_figure(title: str, footer: str, reason: str) -> Figure:
    """Returns a figure that says why there is nothing to see."""
    figure = new_figure(title, footer, height=1.6)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, horizontalalignment="center", verticalalignment="center")
    return figure


def seed_band(axes: Axes, curves: pd.DataFrame, colour: Any, label: str, style: str = "-") -> None:
    """Draws so many curves that each would hide the others: their median and two bands.

    Args:
        axes: to draw on.
        curves: a column for each seed, by the value on the x axis.
        colour: of all.
        label: of the median.
        style: of the median's line.
    """
    places = curves.quantile(list(BANDS), axis="columns").T
    low, lower, median, upper, high = (places[one] for one in BANDS)
    axes.fill_between(places.index, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.fill_between(places.index, lower, upper, color=colour, alpha=0.25, linewidth=0)
    axes.plot(median, style, color=colour, label=label, linewidth=1.4)


def legend_above(axes: Axes, title: str) -> None:
    """Titles axes, and sets their legend between title and axes, where no curve can be."""
    axes.set_title(title, loc="left", pad=14)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        borderaxespad=0,
        borderpad=0.2,
        handlelength=1.2,
        columnspacing=1,
    )


def save(figure: Figure, path: Path) -> None:
    """Writes a figure in the format that the name of the file says: svg or png."""
    suffix = path.suffix.removeprefix(".")
    drawing = BytesIO()
    figure.savefig(drawing, format=suffix, dpi=DPI, metadata=METADATA[suffix])
    content = drawing.getvalue()
    if suffix == "svg":
        content = SIZE.sub(_on_screen, content.decode(), count=1).encode()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _on_screen(size: re.Match[str]) -> str:
    """Pages show a drawing at the size that it names; one for paper is small on a screen."""
    width, height = (f"{ON_SCREEN * float(points):.1f}pt" for points in size.groups())
    return f'width="{width}" height="{height}"'
