"""Tables and figures of the sample metrics: each seed's samples beside baselines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.config import Experiment, suite_experiments
from ganbench.evaluation.measures import MEASURES
from ganbench.inputs import missing
from ganbench.records import Metric, Record, read_record, refuse_stale
from ganbench.report.facts import commits
from ganbench.report.sample_metrics.cells import cell
from ganbench.report.sample_metrics.intervals import interval_of, with_chance
from ganbench.report.sample_metrics.outputs import GROUPS, figure_stem, table_stem
from ganbench.report.statistics import MANY
from ganbench.report.style import PALETTE, empty_figure, figure_style, new_figure, save
from ganbench.report.table1.table import NONE, PrintedTable, write_printed_table

BASELINES = {
    "held_out_images": "baseline: held-out training images",
    "blurred_images": "baseline: the same, blurred",
    "training_images": "baseline: training images",
}
SHOWN_BANDWIDTH = 1.0  # times the median distance; the csv has the others
# What a figure shows, and what a perfect sampler would get.
PANELS = {
    "copied_share": 0.0,
    "nearest_ratio": 1.0,
    "different_bins": 0.05,
    "neighbour_accuracy": 0.5,
    "precision": None,
    "recall": None,
}
LEGENDS = {
    "memorisation": "Copied is the measure to read: copies raise it and blur does not. C_T, "
    "P(farther) and the distance ratio fall for copies and may fall as much for blur, as for the "
    "blurred baseline. Copied below 0: the nearest real image is a test image more often than "
    "these are among the images, so that samples are rather of the test images' kind. Where the "
    "held-out images do not score 0, training and test images differ from each other. Intervals "
    "are of 95 %: Wilson's of shares, for Copied with samples of one nearest image counted once; "
    "DeLong's of P(farther).",
    "coverage": "Pairs alike: share of pairs of samples nearer to each other than 99 % of the "
    "data's. Different bins: share of k-means bins. Class KL: from the samples' classes to the "
    "test images', by a classifier trained here, whose accuracy is beside it. Interval "
    "of the bins: Wilson's, of 95 %.",
    "two samples": "Equal numbers of samples and test images in five disjoint blocks; 95 % "
    "interval of Student's t over them, of a share on the scale of its logit, which stays within 0 "
    "and 1, and Wilson's of all points where the blocks agree. MMD²: of the kernel whose bandwidth "
    "is the median distance of test images; the csv has 0.25, 0.5 and 2 times that too. Read each "
    "against the held-out images: no p-values, every model is told from the data.",
}


@dataclass(frozen=True)
class Scored:
    """An experiment and its record; None where it is not scored yet."""

    name: str
    experiment: Experiment
    record: Record | None

    @property
    def samplers(self) -> dict[str, list[Metric]]:
        """The measures of each sampler, by how tables call it."""
        by_sampler: dict[str, list[Metric]] = {}
        metrics = self.record.metrics if self.record else ()
        for metric in with_chance(metrics, self.experiment.dataset):
            source = str(metric.labels["source"])
            name = BASELINES.get(source) or f"ours: seed {metric.labels['seed']}"
            by_sampler.setdefault(name, []).append(metric)
        return by_sampler

    @property
    def shown(self) -> dict[str, list[Metric]]:
        """The samplers of table and figure: in place of many seeds, three of their quantiles."""
        samplers = self.samplers
        ours = {name: one for name, one in samplers.items() if name.startswith("ours")}
        if len(ours) <= MANY:
            return samplers
        others = {name: one for name, one in samplers.items() if name not in ours}
        values: dict[tuple[str, object], list[Metric]] = {}
        for metric in (metric for metrics in ours.values() for metric in metrics):
            values.setdefault((metric.name, metric.labels.get("bandwidth")), []).append(metric)
        quantiles = {
            f"ours: {words} of {len(ours):,} seeds": [
                _quantile(metrics, share) for metrics in values.values()
            ]
            for share, words in ((0.05, "5 %"), (0.5, "median"), (0.95, "95 %"))
        }
        return quantiles | others

    @property
    def reason(self) -> str:
        """Why nothing is shown; empty where there are numbers."""
        record = self.record
        return "" if record is None or record.metrics else record.status.replace("_", " ")


def build(suite_config: Path, results: Path, folder: Path) -> list[PrintedTable]:
    """Writes the tables and figures of a suite into a folder and returns the tables.

    Args:
        suite_config: the suite file.
        results: the suite's folder of results; an experiment's record there is
            NAME/sample_metrics.json.
        folder: where `score_outputs.outputs(suite_config)` go.

    Raises:
        GanbenchError: a record is malformed, or made with other settings.
    """
    suite = [
        Scored(name, experiment, _read(results / name / "sample_metrics.json", config, experiment))
        for name, config, experiment, _ in suite_experiments(suite_config)
    ]
    # A suite that was never scored has nothing to show here; the workflow always scores.
    suite = [one for one in suite if one.record]
    if not suite:
        return []
    tables = [scores_table(group, suite) for group in GROUPS]
    for group, table in zip(GROUPS, tables, strict=True):
        write_printed_table(table, _csv(group, suite), folder, table_stem(group))
    with figure_style():
        for scored in suite:
            figure = scores_figure(scored)
            for suffix in ("svg", "png"):
                save(figure, folder / f"{figure_stem(scored.name)}.{suffix}")
    return tables


def _read(path: Path, config: Path, experiment: Experiment) -> Record | None:
    if missing(path):
        return None
    record = read_record(path)
    refuse_stale(path, record.config_digest, experiment.digest, config)
    return record


def scores_table(group: str, suite: Sequence[Scored]) -> PrintedTable:
    """Returns the measures of a group, one line a sampler.

    Args:
        group: of `ganbench.evaluation.measures.MEASURES`.
        suite: the experiments, in the table's order.
    """
    names = [name for name, measure in MEASURES.items() if measure.group == group]
    cells: list[tuple[str, ...]] = []
    for scored in suite:
        for sampler, metrics in scored.shown.items():
            shown = {metric.name: metric for metric in metrics if _is_shown(metric)}
            row = (cell(shown[name]) if name in shown else NONE for name in names)
            cells.append((scored.experiment.title, sampler, *row))
        if scored.reason:
            blanks = (NONE for _ in names)
            cells.append((scored.experiment.title, scored.reason, *blanks))
    columns = ("Experiment", "Samples", *(_heading(name) for name in names))
    directions = "; ".join(f"{MEASURES[name].title}: {MEASURES[name].direction}" for name in names)
    return PrintedTable(
        f"Beyond likelihood: {group}", columns, tuple(cells), (LEGENDS[group], f"{directions}.")
    )


def _heading(name: str) -> str:
    measure = MEASURES[name]
    return (
        measure.title if measure.unit in ("1", "classes") else f"{measure.title} ({measure.unit})"
    )


def _quantile(metrics: Sequence[Metric], share: float) -> Metric:
    """Of one measure over seeds; it has no interval, since the quantiles are the spread."""
    value = float(np.quantile([metric.value for metric in metrics], share))
    bandwidth = {key: metrics[0].labels[key] for key in ("bandwidth",) if key in metrics[0].labels}
    first = metrics[0]
    return Metric(name=first.name, value=value, unit=first.unit, labels=bandwidth)


def _is_shown(metric: Metric) -> bool:
    return metric.labels.get("bandwidth", SHOWN_BANDWIDTH) == SHOWN_BANDWIDTH


def _csv(group: str, suite: Sequence[Scored]) -> str:
    rows = list(_csv_rows(group, suite))
    columns = ["experiment", "samples", "name", "bandwidth", "value", "unit", "standard_error"]
    frame = pd.DataFrame(rows, columns=[*columns, "interval_low", "interval_high", "n"])
    return frame.to_csv(index=False, lineterminator="\n")


def _csv_rows(group: str, suite: Sequence[Scored]) -> Iterator[dict[str, object]]:
    for scored in suite:
        for sampler, metrics in scored.samplers.items():
            for metric in metrics:
                if MEASURES[metric.name].group == group:
                    low, high = interval_of(metric) or (None, None)
                    yield metric.model_dump(exclude={"labels", "interval"}) | {
                        "experiment": scored.name,
                        "samples": sampler,
                        "bandwidth": metric.labels.get("bandwidth"),
                        "interval_low": low,
                        "interval_high": high,
                    }


def scores_figure(scored: Scored) -> Figure:
    """Returns six measures side by side, one line per sampler; dashed: the best value.

    Args:
        scored: an experiment.
    """
    title = scored.experiment.title
    if scored.reason or scored.record is None:
        return empty_figure(title, "rule sample_metrics", scored.reason)
    footer = f"rule sample_metrics, commit {commits([scored.record.provenance])}"
    samplers = scored.shown
    figure = new_figure(title, footer, height=1.2 + 0.28 * len(samplers))
    panels = figure.subplots(2, 3, sharey=True).flatten()
    for axes, (name, best) in zip(panels, PANELS.items(), strict=True):
        for place, (sampler, metrics) in enumerate(samplers.items()):
            shown = next(metric for metric in metrics if metric.name == name)
            colour = PALETTE[0] if sampler.startswith("ours") else "0.45"
            axes.errorbar(shown.value, -place, xerr=_errors(shown), fmt="o", ms=3, color=colour)
        if best is not None:
            axes.axvline(best, linestyle="--", linewidth=0.7, color="0.6")
        if axes.dataLim.x0 < -1:
            # Of a collapsed sampler little is known: its bar would push the others together.
            axes.set_xscale("symlog", linthresh=1, linscale=2)
        axes.set_title(MEASURES[name].title, loc="left")
        axes.set_yticks([-place for place in range(len(samplers))], list(samplers))
    return figure


def _errors(metric: Metric) -> list[list[float]] | float | None:
    interval = interval_of(metric)
    if interval is None:
        return metric.standard_error
    low, high = interval
    # Rounding may put an end of a share's interval on the wrong side of it.
    return [[max(metric.value - low, 0.0)], [max(high - metric.value, 0.0)]]
