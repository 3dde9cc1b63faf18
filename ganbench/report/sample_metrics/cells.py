"""A measured value in words: `ganbench score` prints it as the report's tables do."""

from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric
from ganbench.report.sample_metrics.intervals import Interval, interval_of

LIKELIHOOD_DIGITS = 1  # nats
MORE_DIGITS = 2  # at most, so that an interval does not look like a number


def cell(metric: Metric) -> str:
    """Returns value and doubt with the digits that are worth reading."""
    measure = MEASURES.get(metric.name)
    digits = measure.digits if measure else LIKELIHOOD_DIGITS
    value = f"{metric.value:.{digits}f}"
    if metric.labels.get("collapsed"):
        return f"{value} COLLAPSED"
    if interval := interval_of(metric):
        return with_interval(metric.value, interval, digits)
    error = metric.standard_error
    return value if error is None else f"{value} ± {error:.{digits}f}"


def with_interval(value: float, interval: Interval, digits: int) -> str:
    """Returns "0.50 (0.25 to 0.75)", with more digits where both ends would look alike."""
    most = digits + MORE_DIGITS
    while digits < most and len({f"{end:.{digits}f}" for end in interval}) == 1:
        digits += 1
    # Adding 0 takes the sign from a 0 that rounding made.
    middle, low, high = (f"{round(number, digits) + 0:.{digits}f}" for number in (value, *interval))
    return f"{middle} ({low} to {high})"
