"""Where the uncertainty of a score comes from, part by part, and what it would take to say more."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from ganbench.report.collect import ExperimentResults
from ganbench.report.statistics import (
    POWER,
    prediction_interval,
    seed_mean,
    seeds_needed,
    upper_deviation,
)
from ganbench.report.table1.components import Range, deviation, deviations, two_level
from ganbench.report.table1.table import NONE, PrintedTable

DIFFERENCES = (2.0, 5.0, 10.0)  # nats, that the table of seeds asks for
VARIANCE_LEGEND = (
    "Standard deviation, in nats, of one run's test log-likelihood (headline state) from each part "
    "alone. The parts stand side by side and are never summed: seed means contain the noise of "
    "their draws, and the same test images serve every seed. Draws and seeds: analysis of variance "
    "of y_sd = mu + a_s + b_sd, negative components cut off at 0 (Searle, Casella and McCulloch "
    "1992; interval of the seeds' part by Williams 1962). The model takes draws to scatter alike "
    "in every seed, which a collapsed one, whose draws are all the same, breaks; with one draw a "
    "seed neither part has a number. Bandwidth: bootstrap of the validation images that choose it; "
    "its brackets are the range over seeds. Intervals are of 95 %."
)
SEEDS_LEGEND = (
    f"Seeds of each of two configurations that tell such a difference with power {POWER:g} (t test "
    "at 5 %), if the deviation over seeds is the upper end of its one-sided 80 % interval."
)


@dataclass(frozen=True)
class Part:
    """One source of scatter of one experiment's scores.

    Attributes:
        experiment: its name.
        title: how tables call it.
        part: what varies.
        deviation: nats; None where it cannot be told.
        interval: nats, 95 %; of the bandwidth the range over seeds.
        source: what the number was computed from.
    """

    experiment: str
    title: str
    part: str
    deviation: float | None
    interval: Range | None
    source: str


def draws_of(results: ExperimentResults) -> dict[int, list[float]]:
    """Returns the scores of every draw of the headline state, nats, of each seed that finished."""
    checkpoint = results.experiment.evaluation.checkpoints[0]
    draws = {}
    for seed in results.seeds_with("ok"):
        stored = results.stages["evaluate"][seed]
        first = stored.metric("log_likelihood", checkpoint=checkpoint, split="test")
        others = stored.metrics("redrawn_log_likelihood", checkpoint=checkpoint)
        draws[seed] = [first.value, *(one.value for one in others)]
    return draws


def parts(results: ExperimentResults) -> list[Part]:
    """Returns the parts of an experiment's scatter; none where no seed finished."""
    draws = draws_of(results)
    if not draws:
        return []
    parts = two_level(list(draws.values()))
    checkpoint = results.experiment.evaluation.checkpoints[0]
    evaluated = [results.stages["evaluate"][seed] for seed in draws]
    scores = [
        one.metric("log_likelihood", checkpoint=checkpoint, split="test") for one in evaluated
    ]
    errors = [score.standard_error for score in scores if score.standard_error is not None]
    moved = [
        one
        for stored in evaluated
        for one in stored.metrics("bandwidth_error", checkpoint=checkpoint)
    ]
    values = [one.value for one in moved]
    folded = bool(evaluated[0].metrics("fold_log_likelihood", checkpoint=checkpoint))
    name, title = results.name, results.experiment.title
    counted = f"{_count(parts.seeds, 'seed')} x {_count(parts.draws, 'draw')}"
    return [
        Part(
            name,
            title,
            "folds of test images" if folded else "test images",
            seed_mean(errors).mean if errors else None,
            None,
            f"{scores[0].n:,} {'folds' if folded else 'images'}",
        ),
        Part(
            name,
            title,
            "draws of the samples",
            deviation(parts.draw_variance),
            deviations(parts.draw_interval),
            counted,
        ),
        Part(
            name,
            title,
            "choice of the bandwidth",
            math.sqrt(seed_mean([value**2 for value in values]).mean) if values else None,
            (min(values), max(values)) if len(values) > 1 else None,
            f"{moved[0].n:,} validation images" if moved else "not measured",
        ),
        Part(
            name,
            title,
            "training seeds",
            deviation(parts.seed_variance),
            deviations(parts.seed_interval),
            counted,
        ),
    ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def variance_table(experiments: Sequence[ExperimentResults]) -> tuple[PrintedTable, str]:
    """Returns the table of all parts, and the same as csv."""
    rows = [part for results in experiments for part in parts(results)]
    cells = [
        (one.title, one.part, _number(one.deviation), _interval(one.interval), one.source)
        for one in rows
    ]
    columns = ("Experiment", "Part", "Standard deviation (nats)", "95 % interval", "From")
    notes = [_mean_note(results) for results in experiments if results.seeds_with("ok")]
    table = PrintedTable(
        "Where the uncertainty comes from", columns, tuple(cells), (VARIANCE_LEGEND, *notes)
    )
    names = ["experiment", "title", "part", "deviation", "low", "high", "source"]
    frame = pd.DataFrame([_flat(asdict(one)) for one in rows], columns=names)
    return table, frame.to_csv(index=False, lineterminator="\n")


def _flat(row: dict) -> dict:
    low, high = row.pop("interval") or (None, None)
    return row | {"low": low, "high": high}


def _mean_note(results: ExperimentResults) -> str:
    scores = [draws[0] for draws in draws_of(results).values()]
    average, title = seed_mean(scores), results.experiment.title
    if average.interval is None:
        return f"{title}: one seed, {average.mean:.1f} nats; nothing is known of others."
    low, high = prediction_interval(scores)
    return (
        f"{title}: mean over {len(scores)} seeds {average.mean:.2f} nats, t interval "
        f"{_interval(average.interval)}; one more seed would lie in {low:.2f} to {high:.2f}."
    )


def seeds_table(experiments: Sequence[ExperimentResults]) -> tuple[PrintedTable, str]:
    """Returns the table of the seeds that differences would need, and the same as csv."""
    rows = []
    for results in experiments:
        scores = [draws[0] for draws in draws_of(results).values()]
        if len(scores) < 2:
            continue
        bound = upper_deviation(scores)
        rows.append(
            {
                "experiment": results.name,
                "title": results.experiment.title,
                "seeds": len(scores),
                "upper_deviation": bound,
            }
            | {f"seeds_for_{gap:g}": seeds_needed(bound, gap) for gap in DIFFERENCES}
        )
    columns = (
        "Experiment",
        "Seeds run",
        "Upper 80 % bound of the deviation (nats)",
        *(f"Seeds to tell {gap:g} nats" for gap in DIFFERENCES),
    )
    cells = [
        (
            row["title"],
            str(row["seeds"]),
            _number(row["upper_deviation"]),
            *(f"{row[f'seeds_for_{gap:g}']:,}" for gap in DIFFERENCES),
        )
        for row in rows
    ]
    table = PrintedTable("How many seeds it would take", columns, tuple(cells), (SEEDS_LEGEND,))
    names = ["experiment", "title", "seeds", "upper_deviation"]
    names += [f"seeds_for_{gap:g}" for gap in DIFFERENCES]
    return table, pd.DataFrame(rows, columns=names).to_csv(index=False, lineterminator="\n")


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _interval(values: Range | None) -> str:
    return NONE if values is None else f"{values[0]:.2f} to {values[1]:.2f}"
