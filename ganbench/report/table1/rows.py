"""The rows of Table 1 as numbers: the paper's, ours and the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ganbench.errors import GanbenchError
from ganbench.published import ERROR_OVER, PublishedResult, table1
from ganbench.records import Metric
from ganbench.report.collect import ExperimentResults, Stored
from ganbench.report.statistics import seed_mean

TRAINING_IMAGES = "training_images"
SOURCES = {
    "last": "ours: last epoch",
    "best_validation": "ours: best validation epoch",
    TRAINING_IMAGES: "baseline: training images",
    "gaussian": "baseline: Gaussian of the pixels",
    "uniform_noise": "baseline: uniform noise",
}
# The paper's own model was scored by its own script; how the others were is in their papers.
PAPERS_OWN = "Adversarial nets"
PAPERS_PROTOCOL = "gan2014"
Range = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One row; numbers that do not exist are None, and ranges are over seeds (and folds).

    Args:
        experiment: its name; the column of the paper's table for the paper's rows.
        title: how the table calls the experiment.
        kind: who computed the number.
        source: the model of the paper, or which state of ours.
        status: "ok", or what is missing from the row and why.
        seeds_run: training runs that had their data.
        seeds_finished: training runs behind the mean.
        seeds_diverged: training runs that ended with a non-finite loss or weight.
        epochs: epoch of the state that was measured.
        protocol: its name, which fixes samples, split and bandwidths; rows of different ones do
            not compare.
        protocol_note: what a reader must know of the protocol on this data.
        log_likelihood: nats, mean over the seeds that finished.
        seed_values: nats, each seed that finished, in the order of the seeds; of training images,
            each draw.
        interval: nats, 95 % Student t interval of that mean over seeds.
        standard_error: nats, mean over seeds of the standard error over `error_over`.
        error_over: what the standard error is taken over.
        sigma: bandwidth, in the units of the pixels.
        sigma_at_grid_edge: whether a bandwidth is the first or last of its grid.
        grid_penalty: nats, mean over seeds of what the grid costs: the best bandwidth of a bounded
            search less the best of the grid, on the same validation images.
    """

    experiment: str
    title: str
    kind: Literal["published", "ours", "baseline"]
    source: str
    status: str = "ok"
    seeds_run: int | None = None
    seeds_finished: int | None = None
    seeds_diverged: int | None = None
    epochs: Range | None = None
    protocol: str | None = None
    protocol_note: str = ""
    log_likelihood: float | None = None
    seed_values: tuple[float, ...] = ()
    interval: Range | None = None
    standard_error: float | None = None
    error_over: str | None = None
    sigma: Range | None = None
    sigma_at_grid_edge: bool = False
    grid_penalty: float | None = None


def table_rows(experiments: Sequence[ExperimentResults]) -> list[Row]:
    """Returns the rows of all experiments; the paper's rows stand above the first they concern."""
    rows: list[Row] = []
    column = None
    for results in experiments:
        if results.experiment.paper_column not in (None, column):
            rows += [_published(row) for row in table1(results.experiment.paper_column)]
        column = results.experiment.paper_column
        rows += [_ours(results, state) for state in results.experiment.states]
        rows += _baselines(results)
    return rows


def _published(row: PublishedResult) -> Row:
    return Row(
        experiment=row.column,
        title=row.column,
        kind="published",
        source=f"paper: {row.model}",
        protocol=PAPERS_PROTOCOL if row.model == PAPERS_OWN else None,
        log_likelihood=row.log_likelihood,
        standard_error=row.standard_error,
        error_over=ERROR_OVER[row.column],
    )


def _ours(results: ExperimentResults, checkpoint: str) -> Row:
    finished = results.seeds_with("ok")
    row = Row(
        experiment=results.name,
        title=results.experiment.title,
        kind="ours",
        source=SOURCES.get(checkpoint) or _source(checkpoint),
        status=seeds_status(results),
        seeds_run=len(results.seeds) - len(results.seeds_with("data_not_available")),
        seeds_finished=len(finished),
        seeds_diverged=len(results.seeds_with("diverged")),
    )
    if not finished:
        return row
    trained = [
        results.stages["train"][seed].metric(
            "validation_log_likelihood", checkpoint=results.experiment.weights_of(checkpoint)
        )
        for seed in finished
    ]
    evaluations = [results.stages["evaluate"][seed] for seed in finished]
    row = _measured(row, evaluations, results, checkpoint)
    return replace(row, epochs=_label_range(trained, "epoch"))


def _source(state: str) -> str:
    """How the table names a state: of the last epoch, the best one, an epoch, a way to sample."""
    if state.startswith("last_"):
        return "ours: last epoch, " + state.removeprefix("last_").replace("_", " ")
    return f"ours: after {int(state.removeprefix('epoch_')):,} epochs"


def _baselines(results: ExperimentResults) -> list[Row]:
    """One row for each sampler that learns nothing; without a record, of training images only."""
    stored = results.baselines
    samplers = [str(one.labels["checkpoint"]) for one in stored.metrics("log_likelihood")]
    return [_sampler(results, sampler) for sampler in samplers or [TRAINING_IMAGES]]


def _sampler(results: ExperimentResults, sampler: str) -> Row:
    status = _words(results.baselines.record.status)
    row = Row(
        experiment=results.name,
        title=results.experiment.title,
        kind="baseline",
        source=SOURCES.get(sampler) or _kmeans(sampler),
        status=status,
    )
    if status != "ok":
        return row
    row = _measured(row, [results.baselines], results, sampler)
    redrawn = results.baselines.metrics("redrawn_log_likelihood", checkpoint=sampler)
    return replace(row, seed_values=(*row.seed_values, *(one.value for one in redrawn)))


def _kmeans(sampler: str) -> str:
    return f"baseline: {int(sampler.removeprefix('kmeans_')):,} k-means centres"


def _measured(
    row: Row, evaluations: Sequence[Stored], results: ExperimentResults, checkpoint: str
) -> Row:
    scores = [
        stored.metric("log_likelihood", checkpoint=checkpoint, split="test")
        for stored in evaluations
    ]
    penalties = [
        penalty.value
        for stored in evaluations
        for penalty in stored.metrics("grid_penalty", checkpoint=checkpoint)
    ]
    folds = [
        fold
        for stored in evaluations
        for fold in stored.metrics("fold_log_likelihood", checkpoint=checkpoint)
    ]
    over_seeds = seed_mean([score.value for score in scores])
    errors = [score.standard_error for score in scores if score.standard_error is not None]
    return replace(
        row,
        protocol=one_protocol(scores, results.experiment.title),
        protocol_note=str(scores[0].labels.get("protocol_note", "")),
        log_likelihood=over_seeds.mean,
        seed_values=tuple(score.value for score in scores),
        interval=over_seeds.interval,
        standard_error=seed_mean(errors).mean if len(errors) == len(scores) else None,
        error_over="folds" if folds else "test images",
        sigma=_label_range(folds or scores, "sigma"),
        sigma_at_grid_edge=any(one.labels.get("sigma_at_grid_edge") for one in folds or scores),
        # Older records do not say.
        grid_penalty=seed_mean(penalties).mean if penalties else None,
    )


def one_protocol(scores: Sequence[Metric], where: str) -> str:
    """Returns the protocol that all scores share.

    Args:
        scores: metrics of log-likelihoods.
        where: whose they are.

    Raises:
        GanbenchError: they were made under different protocols, which do not compare.
    """
    names = sorted({str(score.labels["protocol"]) for score in scores})
    if len(names) > 1:
        raise GanbenchError(
            f"{where}: scores of the protocols {' and '.join(names)} cannot be compared; "
            "evaluate all under one"
        )
    return names[0]


def _label_range(metrics: Sequence[Metric], label: str) -> Range | None:
    values = [float(metric.labels[label]) for metric in metrics if label in metric.labels]
    return (min(values), max(values)) if values else None


def seeds_status(results: ExperimentResults) -> str:
    """Returns "ok", or what is missing: "2 of 3 seeds diverged", "data not available"."""
    counts = {
        status: len(results.seeds_with(status)) for status in ("diverged", "data_not_available")
    }
    total = len(results.seeds)
    if counts["data_not_available"] == total:
        return _words("data_not_available")
    parts = [
        f"{count} of {total} seeds {_words(status)}" for status, count in counts.items() if count
    ]
    return "; ".join(parts) or "ok"


def _words(status: str) -> str:
    return status.replace("_", " ")
