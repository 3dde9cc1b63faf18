"""The two tables of the theory section: statements with their bounds, and the objectives."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from ganbench.records import Metric, Record
from ganbench.report.collect import holds
from ganbench.report.statistics import CONFIDENCE, Bounds, bounded_interval
from ganbench.report.table1.table import NONE, PrintedTable

STATEMENT_COLUMNS = ("Experiment", "Statement", "Measured", "Bound", "Holds")
STATEMENT_LEGEND = (
    "Each line is a statement of the paper, or what it implies, with the number measured and the "
    "bound under which it is said to hold. Both sides of an identity are computed by different "
    "means."
)
SCORES = {  # of an objectives experiment, by kind: heading and digits
    "objectives": {
        "modes": ("Modes covered", ".1f"),
        "good_share": ("Good samples", ".3f"),
        "wasserstein": ("Wasserstein-1", ".3f"),
        "squared_discrepancy": ("MMD²", ".4f"),
    },
    "image_objectives": {"log_likelihood": ("Validation log-likelihood (nats)", ".1f")},
}

MODES = {"ring": 8, "grid": 25}  # of the targets

MEASURED = {
    "objectives": "; Wasserstein-1 is exact, to as many points of the data",
    "image_objectives": " on the bandwidths of gan2014, on the very "
    "images that chose among them: comparable with each other, not with Table 1",
}


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with an interval that holds together with those beside it."""

    mean: float
    low: float
    high: float


def simultaneous_interval(
    values: Sequence[float], comparisons: int, bounds: Bounds | None = None
) -> Interval:
    """Returns a mean's t interval, wide enough that `comparisons` of its kind all hold at 95 %.

    Args:
        values: one number per seed, at least two.
        comparisons: how many intervals are read together (Bonferroni).
        bounds: what is possible; the interval stays within (`bounded_interval`).
    """
    count, mean = len(values), statistics.fmean(values)
    quantile = float(stdtrit(count - 1, 1 - (1 - CONFIDENCE) / (2 * comparisons)))
    error = statistics.stdev(values) / math.sqrt(count)
    return Interval(mean, *bounded_interval(mean, error, quantile, bounds))


def statements(records: Sequence[tuple[str, Record]]) -> tuple[PrintedTable, str]:
    """Returns the table of statements, and the same as csv.

    Args:
        records: title and record of each theory experiment.
    """
    rows = [_statement(title, metric) for title, record in records for metric in _claims(record)]
    cells = [
        (
            str(row["experiment"]),
            str(row["statement"]),
            f"{row['measured']:.4g} {row['unit']}".removesuffix(" 1"),
            f"{row['relation']} {row['bound']:.4g}",
            "yes" if row["holds"] else "NO",
        )
        for row in rows
    ]
    table = PrintedTable(
        "The theory, statement by statement", STATEMENT_COLUMNS, tuple(cells), (STATEMENT_LEGEND,)
    )
    return table, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def _claims(record: Record) -> list[Metric]:
    return [metric for metric in record.metrics if "bound" in metric.labels]


def _statement(title: str, metric: Metric) -> dict[str, str | float | bool]:
    bound, relation = float(metric.labels["bound"]), str(metric.labels["relation"])
    return {
        "experiment": title,
        "statement": str(metric.labels["statement"]),
        "measured": metric.value,
        "unit": metric.unit,
        "relation": relation,
        "bound": bound,
        "holds": holds(metric),
    }


def score_names(record: Record) -> dict[str, tuple[str, str]]:
    """Returns heading and number format of each score of an objectives experiment."""
    return SCORES[record.config["study"]["kind"]]


def scores(record: Record) -> pd.DataFrame:
    """Returns one row per setting and seed of an objectives experiment, settings in their order."""
    settings = [_name(setting) for setting in record.config["study"]["settings"]]
    wanted = (*score_names(record), "diverged")
    kept = [metric for metric in record.metrics if metric.name in wanted]
    frame = pd.DataFrame([metric.labels | {metric.name: metric.value} for metric in kept])
    keys = ["setting", "learning_rate", "seed"]
    frame = frame.groupby(keys, sort=False).first().reset_index()
    frame["setting"] = pd.Categorical(frame["setting"], settings, ordered=True)
    return frame.sort_values(["setting", "seed"], ignore_index=True)


def _name(setting: dict[str, str | int]) -> str:
    return f"{setting['objective']}, {setting['update']}, k = {setting['k']}"


def score_ranges(record: Record) -> dict[str, Bounds]:
    """Returns what is possible for each score that has a range; MMD², unbiased, has none."""
    game = record.config["study"]["game"]
    modes = MODES.get(game.get("target"))
    counted: dict[str, Bounds] = {"modes": (0, modes)} if modes else {}
    return counted | {"good_share": (0, 1), "wasserstein": (0, math.inf)}


def summary(
    frame: pd.DataFrame, names: Iterable[str], ranges: Mapping[str, Bounds]
) -> pd.DataFrame:
    """Returns means and simultaneous intervals of each setting, then differences from the first.

    Differences are paired: a seed gives every setting the same first weights and data.

    Args:
        frame: of `scores`.
        names: the scores.
        ranges: of `score_ranges`; intervals stay within them.
    """
    settings = list(frame["setting"].cat.categories)
    # A difference of two numbers between low and high lies between low - high and high - low.
    differences = {name: (low - high, high - low) for name, (low, high) in ranges.items()}
    differences = {name: one for name, one in differences.items() if math.isfinite(one[1])}
    rows = [_row(frame, names, one, None, len(settings), ranges) for one in settings]
    rows += [
        _row(frame, names, one, settings[0], len(settings) - 1, differences) for one in settings[1:]
    ]
    return pd.DataFrame(rows)


def _row(
    frame: pd.DataFrame,
    names: Iterable[str],
    setting: str,
    baseline: str | None,
    comparisons: int,
    ranges: Mapping[str, Bounds],
) -> dict[str, str | float | int]:
    own = frame[frame["setting"] == setting].set_index("seed")
    row = {
        "setting": setting,
        "minus": baseline or "",
        "learning_rate": own["learning_rate"].iloc[0],
        "seeds": len(own),
        "diverged": int(own["diverged"].to_numpy().sum()),
    }
    for name in names:
        values = own[name]
        if baseline is not None:
            values = values - frame[frame["setting"] == baseline].set_index("seed")[name]
        values = values.dropna()
        if len(values) > 1:
            interval = simultaneous_interval(values.tolist(), comparisons, ranges.get(name))
            row |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def objectives(title: str, record: Record) -> tuple[PrintedTable, str]:
    """Returns the table of an objectives experiment, and the same as csv."""
    frame = scores(record)
    names = score_names(record)
    rows = summary(frame, names, score_ranges(record))
    study = record.config["study"]
    columns = (
        "Setting",
        "Learning rate",
        "Seeds run / diverged",
        *(heading for heading, _ in names.values()),
    )
    cells = [_cells(row, names) for row in rows.to_dict("records")]
    legend = (
        f"Mean over seeds and, in brackets, simultaneous 95 % intervals (Student t, Bonferroni "
        f"over the {len(study['settings'])} settings of a column, or over its "
        f"{len(study['settings']) - 1} differences). Differences are from the paper's setting and "
        "paired by seed. All seeds alike give an interval of width 0: that says nothing about the "
        "next seed. For what has a range (a share, the modes, a distance) they are taken on the "
        "scale of its logit or logarithm, so that they stay within it."
    )
    examples = 2 * study["game"]["optimizer"]["batch_size"] * study["steps"]
    budget = (
        f"Every run shows D {examples:,} examples; its first learning rate is the best of "
        f"{_listed(study['learning_rates'])} for its objective on seeds "
        f"{_listed(study['tuning_seeds'])} under the paper's updates. {study['samples']:,} samples "
        f"of each run are measured{MEASURED[study['kind']]}."
    )
    note = record.config["note"]
    notes = (legend, budget, *([f"{note[0].upper()}{note[1:]}."] if note else []))
    printed = PrintedTable(title, columns, tuple(cells), notes)
    return printed, rows.to_csv(index=False, lineterminator="\n")


def _cells(row: dict, names: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    name = f"difference: {row['setting']}" if row["minus"] else row["setting"]
    numbers = [_bracketed(row, score, digits) for score, (_, digits) in names.items()]
    return (name, f"{row['learning_rate']:g}", f"{row['seeds']} / {row['diverged']}", *numbers)


def _bracketed(row: dict, score: str, digits: str) -> str:
    if score not in row or math.isnan(row[score]):
        return NONE
    sign = "+" if row["minus"] else ""
    mean, low, high = (
        format(row[key], sign + digits) for key in (score, f"{score}_low", f"{score}_high")
    )
    return f"{mean} [{low}, {high}]"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
