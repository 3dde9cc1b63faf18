"""The benchmarks as a table and a figure, from the JSON that pytest-benchmark wrote."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.report.formats import FORMATS
from ganbench.report.schemas import Timing, read_benchmarks
from ganbench.report.style import PALETTE, figure_style, new_figure, save
from ganbench.report.table1.table import NONE, PrintedTable, write_printed_table

STEM = "bench"
FLOOR = "floor"
COLUMNS = (
    "Work",
    "Shapes",
    "Precision",
    "Against",
    "Ours (ms)",
    "Theirs (ms)",
    "Theirs / ours (95 %)",
    "Ours: calls/s",
    "Ours: images/s",
    "Machine and versions",
)
TIMES = {
    "median": "Times are medians over the rounds, and the ratio is that of these medians with its "
    "bootstrap interval",
    "shortest": "Times are the shortest of the rounds and the ratio is the median over rounds of "
    "theirs / ours with its bootstrap interval, so that it need not be that of the times",
}
LEGEND = (
    "One thread, processor time, calls side by side in random order. {times}; above 1 ours is the "
    "faster. Floor: the update's matrix products alone, in that precision; no update can be faster "
    "with the same libraries. Precision is that of our products; the rivals compute in float32, "
    "autocast in bfloat16."
)
ROW_HEIGHT, LEAST_HEIGHT = 0.16, 2.0  # inches


def build(benchmarks: Path, out: Path) -> None:
    """Writes bench.csv, .md, .html, .tex, .svg and .png into a folder.

    Args:
        benchmarks: what `pytest benchmarks --benchmark-json` wrote.
        out: the folder.

    Raises:
        GanbenchError: the file is missing or is none of our benchmarks'.
    """
    frame = rows(benchmarks)
    printed = table(frame)
    write_printed_table(printed, frame.to_csv(index=False, lineterminator="\n"), out, STEM)
    with figure_style():
        drawn = figure(frame)
        for suffix in FORMATS:
            save(drawn, out / f"{STEM}.{suffix}")


def rows(benchmarks: Path) -> pd.DataFrame:
    """Returns one row per benchmark and rival, with the machine in each (arguments as in `build`).

    Raises:
        GanbenchError: the file is missing or is none of our benchmarks'.
    """
    return pd.DataFrame([row for one in read_benchmarks(benchmarks) for row in _rows(one)])


def _rows(timing: Timing) -> list[dict[str, Any]]:
    machine_names = {"device", "threads", "commit", "dirty"}
    ours = timing.model_dump(exclude={"rivals", "absent", "versions", *machine_names})
    machine = timing.model_dump(include=machine_names) | timing.versions
    measured = [
        {"against": name, "theirs_ms": rival.ms}
        | rival.model_dump(exclude={"ms"})
        | {"missing": ""}
        for name, rival in timing.rivals.items()
    ]
    absent = [{"against": name, "missing": reason} for name, reason in timing.absent.items()]
    return [ours | rival | machine for rival in (*measured, *absent)]


def table(frame: pd.DataFrame) -> PrintedTable:
    """Returns the rows of `rows` in words."""
    cells = [_cells(row) for row in frame.to_dict("records")]
    times = "; ".join(TIMES[one] for one in frame["times"].unique())
    notes = (LEGEND.format(times=times),)
    return PrintedTable("Speed on one thread", COLUMNS, tuple(cells), notes)


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    missing = bool(row["missing"])
    interval = f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    versions = " ".join(f"{name} {row[name]}" for name in ("python", "torch", "numpy", "jax"))
    return (
        f"{row['group']}: {row['work']}",
        row["shapes"] or NONE,
        row["precision"],
        row["against"],
        f"{row['ours_ms']:.3g}",
        NONE if missing else f"{row['theirs_ms']:.3g}",
        row["missing"] if missing else interval,
        f"{row['calls_per_s']:.3g}",
        NONE if pd.isna(row["images_per_s"]) else f"{row['images_per_s']:.3g}",
        f"{row['device']}; {versions}; commit {row['commit'][:12] or 'unknown'}",
    )


def figure(frame: pd.DataFrame) -> Figure:
    """Returns every ratio with its interval; floors are hollow, because nothing passes them."""
    shown = frame.query("missing == ''").reset_index(drop=True)
    height = max(LEAST_HEIGHT, 1 + ROW_HEIGHT * len(shown))
    first = shown.iloc[0]
    footer = f"{first['device']}, one thread, torch {first['torch']}, commit {first['commit'][:12]}"
    drawn = new_figure("Speed: their time / ours, with 95 % interval", footer, height)
    axes = drawn.subplots()
    groups = list(shown["group"].unique())
    for place, row in enumerate(shown.to_dict("records")):
        colour = PALETTE[groups.index(row["group"])]
        hollow = row["against"] == FLOOR
        axes.plot((row["low"], row["high"]), (place, place), color=colour, lw=1)
        axes.plot(row["ratio"], place, "o", ms=3.5, color=colour, mfc="w" if hollow else colour)
    axes.axvline(1, color="0.5", ls="--", lw=0.8)
    names = ["group", "work", "precision", "against"]
    labels = [
        f"{group}: {work}, {precision} / {against}"
        for group, work, precision, against in shown[names].to_numpy()
    ]
    axes.set_yticks(np.arange(len(shown)), labels)
    axes.set(xscale="log", xlabel="their time / ours")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.invert_yaxis()
    return drawn
