"""Configurations compared over training seeds, under one protocol or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from ganbench.errors import GanbenchError
from ganbench.records import Metric
from ganbench.report.collect import ExperimentResults
from ganbench.report.statistics import Difference, paired, welch
from ganbench.report.table1.rows import one_protocol
from ganbench.report.table1.table import NONE, PrintedTable
from ganbench.report.table1.variance import draws_of

COMPARISON_LEGEND = (
    "Second less first, in nats, with 95 % intervals: Welch's, and over the seeds that both have. "
    "No p-value is printed below 6 seeds. Experiments on other data or under another protocol are "
    "not compared."
)


@dataclass(frozen=True)
class Comparison:
    """Two configurations over seeds.

    Attributes:
        welch: with all seeds of both; None where neither side varies.
        paired: over the seeds that both have; None with fewer than two, or where all differ alike.
    """

    welch: Difference | None
    paired: Difference | None


def compare(first: ExperimentResults, second: ExperimentResults) -> Comparison:
    """Returns how two experiments on the same data differ over seeds, second less first.

    Args:
        first: with at least two seeds that finished.
        second: the same.

    Raises:
        GanbenchError: they were scored under different protocols; names both.
    """
    one_protocol(
        [_headline(results) for results in (first, second)],
        f"{first.experiment.title} and {second.experiment.title}",
    )
    sides = [{seed: draws[0] for seed, draws in draws_of(one).items()} for one in (first, second)]
    shared = sorted(sides[0].keys() & sides[1].keys())
    pairs = [[side[seed] for seed in shared] for side in sides]
    return Comparison(
        welch(*(list(side.values()) for side in sides)),
        paired(*pairs) if len(shared) > 1 else None,
    )


def _headline(results: ExperimentResults) -> Metric:
    stored = results.stages["evaluate"][results.seeds_with("ok")[0]]
    checkpoint = results.experiment.evaluation.checkpoints[0]
    return stored.metric("log_likelihood", checkpoint=checkpoint, split="test")


def comparison_table(experiments: Sequence[ExperimentResults]) -> tuple[PrintedTable, str]:
    """Returns the table of all pairs on the same data, and the same as csv."""
    able = [results for results in experiments if len(results.seeds_with("ok")) > 1]
    pairs = [pair for pair in combinations(able, 2) if _same_data(*pair)]
    cells, rows = [], []
    for first, second in pairs:
        titles = (first.experiment.title, second.experiment.title)
        try:
            comparison = compare(first, second)
        except GanbenchError as error:
            cells.append((*titles, str(error), NONE, NONE))
            continue
        cells.append(
            (*titles, *map(_difference, (comparison.welch, comparison.paired)), _p(comparison))
        )
        rows += [
            {"first": first.name, "second": second.name, "method": method} | _flat_difference(one)
            for method, one in (("welch", comparison.welch), ("paired", comparison.paired))
            if one
        ]
    columns = ("First", "Second", "Welch (nats)", "Paired by seed (nats)", "p")
    table = PrintedTable(
        "Configurations compared over seeds", columns, tuple(cells), (COMPARISON_LEGEND,)
    )
    names = ["first", "second", "method", "mean", "low", "high", "p", "seeds_first", "seeds_second"]
    return table, pd.DataFrame(rows, columns=names).to_csv(index=False, lineterminator="\n")


def _same_data(first: ExperimentResults, second: ExperimentResults) -> bool:
    one, other = first.experiment, second.experiment
    return (one.dataset, one.preprocessing) == (other.dataset, other.preprocessing)


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return NONE
    seeds = " and ".join(map(str, difference.seeds))
    return f"{difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}] ({seeds} seeds)"


def _p(comparison: Comparison) -> str:
    known = {"Welch": comparison.welch, "paired": comparison.paired}
    values = [f"{name} {one.p:.2g}" for name, one in known.items() if one and one.p is not None]
    return "; ".join(values) or "too few seeds"


def _flat_difference(difference: Difference) -> dict:
    first, second = difference.seeds
    numbers = {
        "mean": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p": difference.p,
    }
    return numbers | {"seeds_first": first, "seeds_second": second}
