"""The score of one set of samples, on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric, Record
from ganbench.report.score_cells import cell

LIKELIHOOD = {
    "log_likelihood": ("Parzen log-likelihood", "higher is better"),
    "grid_penalty": ("Grid penalty", "what the bandwidth grid costs on the validation images"),
    "bandwidth_error": ("Bandwidth error", "standard deviation if other validation images chose"),
}
LOG_WIDTH = 150  # characters of a line where no terminal says its own width


def print_score(record: Record) -> None:
    """Prints every metric of a record of `ganbench score`: value, its doubt, what is good."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    protocol = record.metrics[0].labels["protocol"]
    table = Table(
        "",
        "Value ± SE (95 % interval)",
        "Unit",
        "Direction",
        title=f"{record.experiment}, protocol {protocol}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for metric in record.metrics:
        title, direction = _words(metric)
        table.add_row(title, cell(metric), metric.unit, direction)
    console.print(table)


def _words(metric: Metric) -> tuple[str, str]:
    if metric.name in LIKELIHOOD:
        return LIKELIHOOD[metric.name]
    measure = MEASURES[metric.name]
    bandwidth = metric.labels.get("bandwidth")
    title = measure.title if bandwidth is None else f"{measure.title}, {bandwidth:g} x median"
    return title, measure.direction
