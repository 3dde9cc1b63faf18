"""The methods of a suite side by side: what papers print, what was measured here, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd
from matplotlib.figure import Figure

from ganbench.published import PRINTED, PrintedLikelihood
from ganbench.report.collect import ExperimentResults
from ganbench.report.style import PALETTE, new_figure
from ganbench.report.table1.rows import Row, table_rows
from ganbench.report.table1.table import NONE, PrintedTable

FURTHER = ("gmmn2015", "fine")
COLUMNS = (
    "Method",
    "Printed (nats)",
    "Printed number was scored with",
    "Ours, gan2014 (nats)",
    "95 % interval over seeds",
    "Seeds",
    *(f"Ours, {name}" for name in FURTHER),
    "Grid penalty",
    "Other ways to sample",
    "Epochs",
)
RIVALS_LEGEND = (
    "MNIST's test set, higher is better. Ours is the last epoch's model, sampled in the recipe's "
    "first way: the mean over seeds and Student's t interval over them. The two columns after the "
    "seeds score the same samples by the rules of other papers. Other ways to sample: lowest and "
    "highest mean, of the same weights. A printed number's ± is over test images."
)


@dataclass(frozen=True)
class Method:
    """One experiment of a method.

    Attributes:
        title: the experiment.
        printed: what its paper says; None if nothing that can be quoted.
        row: of the headline, as in Table 1.
        others: the mean log-likelihood of each other state of training, by its source.
        ways: the same of each further way to sample the last one.
        further: that of the headline's samples under each other protocol.
    """

    title: str
    printed: PrintedLikelihood | None
    row: Row
    others: dict[str, float]
    ways: dict[str, float]
    further: dict[str, float]


def methods(experiments: Sequence[ExperimentResults]) -> list[Method]:
    """Returns the experiments on MNIST in order; none unless one is of another paper's method."""
    on_mnist = [one for one in experiments if one.experiment.dataset == "mnist"]
    if all(one.experiment.method == "adversarial" for one in on_mnist):
        return []
    return [_method(one) for one in on_mnist]


def _method(results: ExperimentResults) -> Method:
    rows = [row for row in table_rows([results]) if row.kind == "ours"]
    evaluations = [results.stages["evaluate"][seed] for seed in results.seeds_with("ok")]
    further = {}
    for name in FURTHER:
        scores = [
            metric.value
            for stored in evaluations
            for metric in stored.metrics("log_likelihood_under_protocol", protocol=name)
        ]
        if scores:
            further[name] = fmean(scores)
    values = {row.source: row.log_likelihood for row in rows if row.log_likelihood is not None}
    trained = len(results.experiment.evaluation.states)
    names = [row.source for row in rows]
    return Method(
        results.experiment.title,
        PRINTED.get(results.experiment.method),
        rows[0],
        {name: values[name] for name in names[1:trained] if name in values},
        {name: values[name] for name in names[trained:] if name in values},
        further,
    )


def rivals_table(experiments: Sequence[ExperimentResults]) -> tuple[PrintedTable, str]:
    """Returns the table of methods, and the same as csv."""
    shown = methods(experiments)
    cells, rows = [], []
    for one in shown:
        printed, row = one.printed, one.row
        cells.append(
            (
                one.title,
                f"{printed.log_likelihood:g} ± {printed.standard_error:g}" if printed else NONE,
                printed.scored_with if printed else NONE,
                row.status if row.log_likelihood is None else f"{row.log_likelihood:.1f}",
                f"{row.interval[0]:.1f} to {row.interval[1]:.1f}" if row.interval else NONE,
                str(row.seeds_finished),
                *(f"{one.further[name]:.1f}" if name in one.further else NONE for name in FURTHER),
                NONE if row.grid_penalty is None else f"{row.grid_penalty:.1f}",
                _other_ways(one),
                f"{row.epochs[1]:.0f}" if row.epochs else NONE,
            )
        )
        low, high = row.interval or (None, None)
        rows.append(
            {
                "title": one.title,
                "printed": printed.log_likelihood if printed else None,
                "printed_standard_error": printed.standard_error if printed else None,
                "gan2014": row.log_likelihood,
                "low": low,
                "high": high,
                "seeds": row.seeds_finished,
                **{name: one.further.get(name) for name in FURTHER},
                "grid_penalty": row.grid_penalty,
                "epochs": row.epochs[1] if row.epochs else None,
            }
        )
    sources = dict.fromkeys(
        f"{one.title}: {one.printed.source}." for one in shown if one.printed is not None
    )
    notes = (RIVALS_LEGEND, *sources) if shown else (RIVALS_LEGEND,)
    table = PrintedTable("The paper's rivals, trained here", COLUMNS, tuple(cells), notes)
    names = ["title", "printed", "printed_standard_error", "gan2014", "low", "high", "seeds"]
    names += [*FURTHER, "grid_penalty", "epochs"]
    return table, pd.DataFrame(rows, columns=names).to_csv(index=False, lineterminator="\n")


def _other_ways(one: Method) -> str:
    values = one.ways.values()
    return f"{min(values):.0f} to {max(values):.0f}" if values else NONE


def rivals_figure(
    shown: Sequence[Method], baselines: dict[str, float], title: str, footer: str
) -> Figure:
    """Returns a figure of every state's likelihood, the printed ones, and baselines as lines.

    Args:
        shown: one method at least.
        baselines: likelihood of samplers that learn nothing, by name.
        title: the suite.
        footer: seeds and commit.
    """
    figure = new_figure(title, footer, height=2.2 + 0.32 * len(shown))
    axes = figure.subplots()
    for place, one in enumerate(shown):
        others = [*one.others.values(), *one.ways.values()]
        axes.plot(others, [place] * len(others), "|", color="0.45", markersize=9)
        if one.printed is not None:
            error = one.printed.standard_error
            axes.errorbar(one.printed.log_likelihood, place + 0.2, xerr=error, fmt="D",
                          color=PALETTE[1], markersize=3.5)  # fmt: skip
        if one.row.log_likelihood is not None:
            axes.plot(one.row.seed_values, [place] * len(one.row.seed_values), "o",
                      color=PALETTE[0], markersize=4.5)  # fmt: skip
    for number, (name, value) in enumerate(baselines.items()):
        style = (":", "--", "-.", (0, (1, 4)))[number % 4]
        axes.axvline(value, linestyle=style, color="0.25", linewidth=0.9, label=name)
    axes.plot([], [], "o", color=PALETTE[0], label="ours, each seed")
    axes.plot([], [], "|", color="0.45", label="ours, other states and ways to sample")
    axes.plot([], [], "D", color=PALETTE[1], markersize=3.5, label="printed")
    axes.set_yticks(range(len(shown)), [one.title for one in shown])
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="test log-likelihood, gan2014 (nats)")
    # Of the axes, because one of the figure would lie over the footer.
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.3), ncols=2)
    return figure
