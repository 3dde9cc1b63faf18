"""The 95 % interval of a sample metric, within the range that it can have."""

from collections.abc import Iterable

from ganbench.catalogue import DATASETS
from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric
from ganbench.report.statistics import bounded_interval, share_interval, t_quantile

Interval = tuple[float, float]
# Shares of independent things: samples, or the bins that the label counts.
PLAIN_SHARES = ("near_duplicates", "exact_duplicates", "different_bins")


def interval_of(metric: Metric) -> Interval | None:
    """Returns a measure's 95 % interval, within what is possible; None where none is known.

    Plain shares and the copied share have Wilson's, and so has any share whose blocks all agree,
    as they do at 0 and 1. Other shares over blocks have Student's t on the scale of the logit;
    what is no share has the interval of its record.
    """
    measure, error, count = MEASURES.get(metric.name), metric.standard_error, metric.n
    if measure is None or error is None or not count:
        return metric.interval
    if metric.name == "copied_share":
        return _copied(metric, error, count)
    if metric.name in PLAIN_SHARES:
        return share_interval(metric.value, float(metric.labels.get("bins", count)))
    if metric.interval is None or not measure.share:
        return metric.interval
    if error == 0 or not 0 < metric.value < 1:
        # Over blocks, n counts these and the label the points of each.
        return share_interval(metric.value, count * float(metric.labels.get("points", 1)))
    return bounded_interval(metric.value, error, t_quantile(count - 1), (0, 1))


def _copied(metric: Metric, error: float, count: int) -> Interval | None:
    """Wilson's interval of the share y whose nearest image is a training image, scaled as y is.

    The copied share is (y - chance) / (1 - chance), and lies between -chance / (1 - chance) and 1.
    Its error counts samples of one nearest image once. Without such clusters its square would be
    (y (1 - chance)^2 + (1 - y) chance^2) / n / (1 - chance)^2, which gives the n that it stands
    for: 1 where all samples are one image.
    """
    if "chance" not in metric.labels:
        return None
    chance = float(metric.labels["chance"])
    scale = 1 - chance
    share = min(1.0, max(0.0, chance + metric.value * scale))
    spread = share * scale**2 + (1 - share) * chance**2
    independent = min(float(count), spread / (error * scale) ** 2) if error else float(count)
    low, high = share_interval(share, independent)
    return (low - chance) / scale, (high - chance) / scale


def with_chance(metrics: Iterable[Metric], dataset: str) -> list[Metric]:
    """Returns a record's measures, those of copied shares with the label `chance`.

    It is the share of training images among the real ones; of test images there are half as many
    as each `parzen_gap` counts, which is of equal numbers of both.

    Args:
        metrics: of a record.
        dataset: whose training images they are.
    """
    metrics = list(metrics)
    both = next((one.n for one in metrics if one.name == "parzen_gap"), None)
    if not both or dataset not in DATASETS:
        return metrics
    train = DATASETS[dataset].images
    label = {"chance": train / (train + both // 2)}
    return [
        one.model_copy(update={"labels": one.labels | label}) if one.name == "copied_share" else one
        for one in metrics
    ]
