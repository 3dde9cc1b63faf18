"""A measured value in words: `ganbench score` prints it as the report's tables do."""

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric
from ganbench.report.statistics import bounded_interval, t_quantile

LIKELIHOOD_DIGITS = 1  # nats


def interval_of(metric: Metric) -> tuple[float, float] | None:
    """Returns a measure's 95 % interval, within 0 and 1 for a share; None where none is known.

    Records hold mean +- t SE, which runs past 0 and 1 where blocks differ much.
    """
    measure, error, count = MEASURES.get(metric.name), metric.standard_error, metric.n
    if metric.interval is None or measure is None or not measure.share:
        return metric.interval
    if error is None or count is None or count < 2:
        return metric.interval
    return bounded_interval(metric.value, error, t_quantile(count - 1), (0, 1))


def cell(metric: Metric) -> str:
    """Returns value and doubt with the digits that are worth reading."""
    measure = MEASURES.get(metric.name)
    digits = measure.digits if measure else LIKELIHOOD_DIGITS
    value = f"{metric.value:.{digits}f}"
    if metric.labels.get("collapsed"):
        return f"{value} COLLAPSED"
    if interval := interval_of(metric):
        low, high = (f"{end:.{digits}f}" for end in interval)
        return f"{value} ({low} to {high})"
    error = metric.standard_error
    return value if error is None else f"{value} ± {error:.{digits}f}"
