"""The rule by which a claim of the paper's Table 1 is judged; fixed before results are seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ganbench.published import PaperColumn, table1
from ganbench.report.statistics import prediction_interval, seed_mean
from ganbench.report.table1.rows import PAPERS_OWN, PAPERS_PROTOCOL

Verdict = Literal[
    "reproduced",
    "not reproduced",
    "higher",
    "lower",
    "inconclusive",
    "other protocol",
    "budget not reached",
    "seeds diverged",
    "data not available",
    "not run",
]
# Two one-sided tests at 5 % are the 90 % interval; fewer seeds than this may not call it a match.
EQUIVALENCE = 0.90
SEEDS_FOR_MATCH = 5


@dataclass(frozen=True)
class Runs:
    """What stands behind a verdict.

    Attributes:
        scores: nats, one per seed that finished.
        diverged: seeds that did not.
        available: whether the data could be had.
        full_budget: whether training was as long as the paper's.
        protocol: of the scores.
    """

    scores: tuple[float, ...]
    diverged: int
    available: bool
    full_budget: bool
    protocol: str = PAPERS_PROTOCOL


def published(column: PaperColumn) -> float:
    """Returns the paper's own number in a column of Table 1, nats."""
    return next(row.log_likelihood for row in table1(column) if row.model == PAPERS_OWN)


def margin(column: PaperColumn) -> float:
    """Returns half the gap between the paper's number and its nearest neighbour, nats.

    Within it ours is nearer to the paper's number than to any other model's.
    """
    own = published(column)
    others = [row.log_likelihood for row in table1(column) if row.model != PAPERS_OWN]
    return min(abs(other - own) for other in others) / 2


def neighbours(column: PaperColumn) -> tuple[float, float]:
    """Returns the numbers just below and above the paper's own; infinite where there is none."""
    own = published(column)
    others = [row.log_likelihood for row in table1(column) if row.model != PAPERS_OWN]
    below = max((one for one in others if one < own), default=-math.inf)
    return below, min((one for one in others if one > own), default=math.inf)


def rank(column: PaperColumn, score: float) -> int:
    """Returns the place of a score among the other models of a column, 1 is the highest."""
    others = [row.log_likelihood for row in table1(column) if row.model != PAPERS_OWN]
    return 1 + sum(other > score for other in others)


def cell_verdict(runs: Runs, column: PaperColumn) -> Verdict:
    """Returns the verdict on a cell: is ours the paper's number, within the margin?

    `reproduced` when the 90 % t interval over at least five seeds lies inside the margin (two
    one-sided tests at 5 %), `higher` or `lower` when the 95 % interval lies wholly outside.
    """
    low, high = published(column) - margin(column), published(column) + margin(column)
    return blocking_verdict(runs) or _between(runs.scores, low, high)


def ranking_verdict(runs: Runs, column: PaperColumn) -> Verdict:
    """Returns the verdict on the place: `reproduced` when the interval lies between neighbours.

    The same rule as for a cell, with the neighbours' numbers for the margin's ends.
    """
    return blocking_verdict(runs) or _between(runs.scores, *neighbours(column))


def blocking_verdict(runs: Runs) -> Verdict | None:
    """Returns why nothing can be judged, if so."""
    if not runs.available:
        return "data not available"
    if runs.protocol != PAPERS_PROTOCOL:
        return "other protocol"
    if not runs.full_budget:
        return "budget not reached"
    return "seeds diverged" if runs.diverged else None


def _between(scores: Sequence[float], low: float, high: float) -> Verdict:
    equivalent, wide = seed_mean(scores, EQUIVALENCE).interval, seed_mean(scores).interval
    if equivalent is None or wide is None:
        return "inconclusive"
    if wide[0] > high:
        return "higher"
    if wide[1] < low:
        return "lower"
    inside = low < equivalent[0] and equivalent[1] < high
    return "reproduced" if inside and len(scores) >= SEEDS_FOR_MATCH else "inconclusive"


def inside_prediction(scores: Sequence[float], value: float) -> bool | None:
    """Returns whether a value lies where one more seed would; None below two seeds."""
    if len(scores) < 2:
        return None
    low, high = prediction_interval(scores)
    return low <= value <= high
