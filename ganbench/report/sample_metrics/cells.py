"""A measured value in words: `ganbench score` prints it as the report's tables do."""

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric

LIKELIHOOD_DIGITS = 1  # nats


def cell(metric: Metric) -> str:
    """Returns value and doubt with the digits that are worth reading."""
    measure = MEASURES.get(metric.name)
    digits = measure.digits if measure else LIKELIHOOD_DIGITS
    value = f"{metric.value:.{digits}f}"
    if metric.labels.get("collapsed"):
        return f"{value} COLLAPSED"
    if metric.interval is not None:
        low, high = (f"{end:.{digits}f}" for end in metric.interval)
        return f"{value} ({low} to {high})"
    error = metric.standard_error
    return value if error is None else f"{value} ± {error:.{digits}f}"
