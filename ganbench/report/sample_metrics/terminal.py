"""Prints what `ganbench score` measured of a user's samples, beside the baselines."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric, Record
from ganbench.report.sample_metrics.cells import cell

SOURCES = {
    "samples": "Samples",
    "held_out_images": "Held-out images",
    "training_images": "Training images",
}
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
LOG_WIDTH = 200  # characters of a line where no terminal says its own width


def print_score(record: Record) -> None:
    """Prints a record of `ganbench score`: values with their errors, baselines and notes."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    table = Table(
        "",
        *SOURCES.values(),
        "Unit",
        "Direction",
        title=f"{record.experiment}, protocol {_of(record, 'log_likelihood')[0].labels['protocol']}"
        ": value ± SE (95 % interval)",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for row in _rows(record):
        table.add_row(*row)
    console.print(table)
    for note in _notes(record):
        console.print(note, markup=False, highlight=False)


def _rows(record: Record) -> Iterator[tuple[str, ...]]:
    """Each measure of the samples once, with the baselines' cells."""
    shown: dict[tuple[str, str, str], dict[str, str]] = {}
    for metric in record.metrics:
        if metric.name in LIKELIHOOD or metric.name in MEASURES:
            title, direction = _words(metric)
            cells = shown.setdefault((title, metric.unit, direction), {})
            cells[str(metric.labels["source"])] = cell(metric) + _bound(metric)
    for place, ((title, unit, direction), cells) in enumerate(shown.items()):
        yield title, *(cells.get(source, "") for source in SOURCES), unit, direction
        if place == 0:
            yield SIGMA[0], *(_sigma(record, source) for source in SOURCES), "pixels", SIGMA[1]


def _words(metric: Metric) -> tuple[str, str]:
    if metric.name in LIKELIHOOD:
        return LIKELIHOOD[metric.name]
    measure = MEASURES[metric.name]
    bandwidth = metric.labels.get("bandwidth")
    title = measure.title if bandwidth is None else f"{measure.title}, {bandwidth:g} x median"
    return title, measure.direction


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
