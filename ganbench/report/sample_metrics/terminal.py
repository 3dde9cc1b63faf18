"""Prints what `ganbench score` measured of a user's samples, beside the baselines."""

import math
import textwrap
from collections.abc import Iterator, Mapping
from io import StringIO

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric, Record
from ganbench.report.sample_metrics.cells import cell, with_interval
from ganbench.report.sample_metrics.intervals import Interval, interval_of, with_chance

# Each table's baseline: where its metrics have their second value.
BASELINES = {"training_images": "Training images", "held_out_images": "Held-out images"}
LIKELIHOOD = {
    "log_likelihood": ("Parzen log-likelihood", "higher is better"),
    "grid_penalty": ("Grid penalty", "what the bandwidth grid costs on the validation images"),
    "bandwidth_error": ("Bandwidth error", "standard deviation if other validation images chose"),
}
SIGMA = ("Sigma", "the bandwidth, chosen on validation images")
LEGEND = (
    "Read Samples against Held-out images, training images kept back as a perfect sampler's, and "
    "its likelihood against that of training images in its place (a baseline, not a bound)."
)
WIDTH = 80  # characters of a line, wherever it is printed
VALUE_WIDTH = 28  # of the longest value with its interval, which is never broken


def score_text(record: Record) -> str:
    """Returns a record of `ganbench score` in lines of at most 80 characters.

    Values with their errors, the baselines beside them, and notes.
    """
    (first, *_) = _of(record, "log_likelihood")
    lines = [
        f"{record.experiment}, protocol {first.labels['protocol']}: value ± SE (95 % interval)"
    ]
    for source, title in BASELINES.items():
        rows = [row[:3] for row in _rows(record) if row[4] == source]
        if rows:
            lines += ["", _table(("", "Samples", title), rows)]
    for note in (_directions(record), *_notes(record)):
        lines += ["", textwrap.fill(note, WIDTH, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def score_words(record: Record) -> pd.DataFrame:
    """Returns the printed cells: a row for each measure, with its baseline and best value."""
    rows = [
        (title, value, baseline, BASELINES[source], direction)
        for title, value, baseline, direction, source in _rows(record)
    ]
    return pd.DataFrame(rows, columns=["Measure", "Samples", "Baseline", "Of", "Best"])


def comparison_text(record: Record, other: Record, names: tuple[str, str]) -> str:
    """Returns two records of samples side by side, with the intervals of their differences.

    Args:
        record: of the first samples.
        other: of the second, of the same data set and protocol.
        names: of both.
    """
    frame = comparison(record, other)
    shown = frame[["measure", "first_text", "second_text", "difference_text"]]
    rows = [tuple(row) for row in shown.to_numpy().tolist()]
    title = f"{record.experiment}, protocol {_of(record, 'log_likelihood')[0].labels['protocol']}"
    note = (
        "Difference: first less second, with a 95 % interval that takes both errors as "
        "independent; both are of the same test images, so that it is rather too wide. It covers "
        "neither other training seeds nor other data."
    )
    table = _table(("", *(_short(name) for name in names), "Difference (95 %)"), rows)
    return f"{title}: first and second samples\n\n{table}\n\n{textwrap.fill(note, WIDTH)}\n"


def comparison(record: Record, other: Record) -> pd.DataFrame:
    """Returns each measure of two records: both values, their difference and its 95 % interval.

    An interval is NaN where one of the values has no error.
    """
    others = _measured(other)
    rows = []
    for key, first in _measured(record).items():
        if (second := others.get(key)) is None:
            continue
        measure = MEASURES.get(first.name)
        digits = measure.digits if measure else 1
        difference = first.value - second.value
        low, high = _difference_interval(first, second)
        text = f"{difference:.{digits}f}"
        if low == low:
            text = with_interval(difference, (low, high), digits)
        rows.append(
            {
                "measure": key,
                "first": first.value,
                "second": second.value,
                "difference": difference,
                "low": low,
                "high": high,
                "unit": first.unit,
                "first_text": f"{first.value:.{digits}f}",
                "second_text": f"{second.value:.{digits}f}",
                "difference_text": text,
            }
        )
    return pd.DataFrame(rows)


def _directions(record: Record) -> str:
    """Which way is better, once for each measure."""
    lines: dict[str, str] = dict((SIGMA,))
    for metric in record.metrics:
        if metric.name in LIKELIHOOD:
            lines |= dict((LIKELIHOOD[metric.name],))
        elif metric.name in MEASURES:
            lines[MEASURES[metric.name].title] = MEASURES[metric.name].direction
    return "; ".join(f"{title}: {direction}" for title, direction in lines.items()) + "."


def _difference_interval(first: Metric, second: Metric) -> Interval:
    """Of first less second, from both intervals (Newcombe 1998); NaN where one is not known.

    Each end takes the distances to the ends that lie towards it, so that an interval which leans
    to one side, as a share's does near 0, keeps to what is possible.
    """
    intervals = [_interval(metric) for metric in (first, second)]
    (low, high), (other_low, other_high) = intervals
    difference = first.value - second.value
    below = math.hypot(first.value - low, other_high - second.value)
    above = math.hypot(high - first.value, second.value - other_low)
    return difference - below, difference + above


def _interval(metric: Metric) -> Interval:
    """Of 95 %; NaN where none is known."""
    if interval := interval_of(metric):
        return interval
    half = math.nan if metric.standard_error is None else 1.96 * metric.standard_error
    return metric.value - half, metric.value + half


def _measured(record: Record) -> dict[str, Metric]:
    """The samples' metrics by their titles."""
    return {
        _words(metric)[0]: metric
        for metric in with_chance(record.metrics, record.experiment)
        if metric.name in LIKELIHOOD | MEASURES and metric.labels["source"] == "samples"
    }


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """The words of the first column wrap; values never do."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        width = max([len(column), *(len(row[place]) for row in rows)])
        table.add_column(column, min_width=min(width, VALUE_WIDTH) if place else None)
    for row in rows:
        table.add_row(*row)
    with console.capture() as capture:
        console.print(table, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def _rows(record: Record) -> Iterator[tuple[str, str, str, str, str]]:
    """Each measure: title with its unit, samples, baseline, direction, the baseline's source."""
    shown: dict[tuple[str, str], dict[str, str]] = {}
    for metric in with_chance(record.metrics, record.experiment):
        if metric.name in LIKELIHOOD or metric.name in MEASURES:
            cells = shown.setdefault(_words(metric), {})
            cells[str(metric.labels["source"])] = cell(metric) + _bound(metric)
    for place, ((title, direction), cells) in enumerate(shown.items()):
        yield _row(title, direction, cells)
        if place == 0:
            cells = {one: _sigma(record, one) for one in ("samples", "training_images")}
            yield _row(f"{SIGMA[0]}, pixels", SIGMA[1], cells)


def _row(title: str, direction: str, cells: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    source = next((one for one in BASELINES if one in cells), "held_out_images")
    return title, cells.get("samples", ""), cells.get(source, ""), direction, source


def _words(metric: Metric) -> tuple[str, str]:
    """Its title with the unit, and which way is better."""
    unit = "" if metric.unit == "1" else f", {metric.unit}"
    if metric.name in LIKELIHOOD:
        title, direction = LIKELIHOOD[metric.name]
        return title + unit, direction
    measure = MEASURES[metric.name]
    bandwidth = metric.labels.get("bandwidth")
    title = measure.title if bandwidth is None else f"{measure.title}, {bandwidth:g} x median"
    return title + unit, measure.direction


def _bound(metric: Metric) -> str:
    return " or more" if metric.labels.get("at_bound") else ""


def _sigma(record: Record, source: str) -> str:
    """The bandwidth, or over folds the lowest and the highest."""
    names = ("log_likelihood", "fold_log_likelihood")
    labelled = [
        metric.labels
        for metric in _of(record, *names)
        if metric.labels["source"] == source and "sigma" in metric.labels
    ]
    sigmas = sorted({labels["sigma"] for labels in labelled})
    edge = ", at the grid's edge" if any(one["sigma_at_grid_edge"] for one in labelled) else ""
    return " to ".join(f"{sigma:.3f}" for sigma in sigmas[:1] + sigmas[1:][-1:]) + edge


def _notes(record: Record) -> Iterator[str]:
    """What a reader must know of the numbers above."""
    yield LEGEND
    first = _of(record, "log_likelihood")
    for note in dict.fromkeys(one.labels.get("protocol_note") for one in first):
        if note:
            yield f"{first[0].labels['protocol']}: {note}."
    yield from _used(record, int(first[0].labels["n_centers"]))
    (shared,) = _of(record, "shared_images")
    if shared.value:
        yield f"{shared.value:.0f} validation images are test images too, pixel by pixel."


def _used(record: Record, count: int) -> Iterator[str]:
    """Which samples of the file the numbers are of."""
    (given,) = _of(record, "samples_given")
    if given.value > count:
        yield f"Of {given.value:,.0f} samples the table is of {count:,}, drawn at random."
    draws = [f"{one.value:.1f}" for one in _of(record, "redrawn_log_likelihood")]
    if draws:
        unused = int(given.value) - count * (1 + len(draws))
        rest = f"; {unused:,} samples were not used" if unused else ""
        yield f"Log-likelihood of each further {count:,}, nats: {', '.join(draws)}{rest}."


def _of(record: Record, *names: str) -> list[Metric]:
    return [metric for metric in record.metrics if metric.name in names]
