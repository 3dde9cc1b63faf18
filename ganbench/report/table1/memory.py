"""Whether an experiment's samples copy its training images, by the record of `sample_metrics`."""

import math
from dataclasses import dataclass

from scipy.special import ndtri

from ganbench.report.collect import ExperimentResults
from ganbench.report.sample_metrics.cells import cell
from ganbench.report.sample_metrics.intervals import with_chance
from ganbench.report.statistics import CONFIDENCE
from ganbench.report.table1.verdicts import EQUIVALENCE, Runs, Verdict, blocking_verdict


@dataclass(frozen=True)
class Share:
    """A share of samples that copy a training image, its standard error and how it is printed."""

    value: float
    error: float
    words: str = ""


@dataclass(frozen=True)
class Copied:
    """The shares of each seed's samples and of held-out images, which copy nothing."""

    seeds: tuple[Share, ...]
    held_out: Share

    def __str__(self) -> str:
        seeds = ", ".join(share.words for share in self.seeds)
        return f"{seeds}; held-out images {self.held_out.words}"


def copied(results: ExperimentResults) -> Copied | None:
    """Returns the shares of an experiment; None where nothing is scored."""
    if results.sample_metrics is None:
        return None
    measured = with_chance(results.sample_metrics.record.metrics, results.experiment.dataset)
    seeds, held_out = (
        tuple(
            Share(one.value, one.standard_error or 0.0, cell(one))
            for one in measured
            if one.name == "copied_share" and one.labels["source"] == source
        )
        for source in ("model", "held_out_images")
    )
    return Copied(seeds, held_out[0]) if seeds and held_out else None


def memory_verdict(runs: Runs, shares: Copied | None) -> Verdict:
    """Returns the verdict on memory: is every seed nearer to held-out images than to copies?

    The bound is half the way from the share of held-out images to 1, that of a perfect memory.
    `reproduced` when every seed's 90 % interval lies below it, `not reproduced` when the 95 %
    interval of one lies above; a collapsed seed, of which nothing is known, allows neither.

    Args:
        runs: what stands behind it.
        shares: of the seeds that finished; their errors are taken as normal.
    """
    if reason := blocking_verdict(runs):
        return reason
    if shares is None:
        return "not run"
    baseline = shares.held_out
    bound = (1 + baseline.value) / 2
    excess = [
        Share(one.value - bound, math.hypot(one.error, baseline.error / 2)) for one in shares.seeds
    ]
    if any(one.value > _normal(CONFIDENCE) * one.error for one in excess):
        return "not reproduced"
    below = all(one.value < -_normal(EQUIVALENCE) * one.error for one in excess)
    return "reproduced" if below else "inconclusive"


def _normal(confidence: float) -> float:
    return float(ndtri((1 + confidence) / 2))
