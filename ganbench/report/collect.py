"""Reads the records of a suite and refuses those that do not belong together."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from ganbench import chain
from ganbench.chain import SEED_STAGES
from ganbench.config import Experiment, load_suite, settings_digest, suite_experiments
from ganbench.errors import GanbenchError
from ganbench.inputs import missing, read_text, reason, shown
from ganbench.records import (
    Metric,
    Record,
    companion,
    effective_digest,
    numbers_version,
    read_record,
    refuse_stale,
)

# Columns of a history that are drawn or judged.
HISTORY = ("epoch", "phase", "learning_rate", "validation_log_likelihood")
NEVER_NEGATIVE = ("phase", "updates", "learning_rate", "sigma")


@dataclass(frozen=True)
class Stored:
    """A record and the file it was read from."""

    path: Path
    record: Record

    def companion(self, name: str) -> Path:
        """Returns a file written beside the record, checked (raises GanbenchError)."""
        return companion(self.path, self.record, name)

    def history(self) -> pd.DataFrame:
        """Returns the run's learning curves, checked (raises GanbenchError)."""
        return read_history(self.companion("history.csv"))

    def metrics(self, name: str, **labels: str | int) -> list[Metric]:
        """Returns the metrics of that name whose labels have these values."""
        return [
            metric
            for metric in self.record.metrics
            if metric.name == name and labels.items() <= metric.labels.items()
        ]

    def metric(self, name: str, **labels: str | int) -> Metric:
        """Returns the one metric of that name and these labels.

        Raises:
            GanbenchError: there is none, or more than one.
        """
        matching = self.metrics(name, **labels)
        if len(matching) != 1:
            raise GanbenchError(
                f"{self.path}: metrics: should hold one {name!r} with {labels}, got "
                f"{len(matching)}; delete it and run its stage again"
            )
        return matching[0]


def read_history(path: Path) -> pd.DataFrame:
    """Returns a history.csv: a row for each epoch, all its values numbers or absent.

    Raises:
        GanbenchError: it cannot be read, or is no history.
    """
    remedy = "delete the train.json beside it and train again"
    text = read_text(path, remedy)
    try:
        history = pd.read_csv(StringIO(text))
    # Pandas' parser raises these for files that are empty or ragged.
    except ValueError as problem:
        raise GanbenchError(f"{path}: is no history ({reason(problem)}); {remedy}") from None
    lacking = [name for name in HISTORY if name not in history]
    if lacking:
        raise GanbenchError(f"{path}: has no column {lacking[0]!r}; {remedy}")
    for name, column in history.items():
        if not pd.api.types.is_numeric_dtype(column):
            raise GanbenchError(f"{path}: {shown(name)}: should be numbers; {remedy}")
    if list(history["epoch"]) != list(range(1, len(history) + 1)):
        raise GanbenchError(f"{path}: epoch: should count from 1, each epoch once; {remedy}")
    for name in NEVER_NEGATIVE:
        if name in history and bool((history[name] < 0).any()):
            raise GanbenchError(f"{path}: {name}: should never be negative; {remedy}")
    return history


@dataclass(frozen=True)
class ExperimentResults:
    """Everything recorded about one experiment.

    `stages` maps a stage to its record per seed; `sample_metrics` is None
    where none were measured yet.
    """

    name: str
    config: Path
    experiment: Experiment
    seeds: tuple[int, ...]
    fetch: Stored
    baselines: Stored
    stages: dict[str, dict[int, Stored]]
    sample_metrics: Stored | None = None

    def seed_status(self, seed: int) -> str:
        """Returns "ok", or the status of the first stage that is not."""
        statuses = [self.stages[stage][seed].record.status for stage in SEED_STAGES]
        return next((status for status in statuses if status != "ok"), "ok")

    def seeds_with(self, status: str) -> list[int]:
        """Returns the seeds of a status, in ascending order."""
        return sorted(seed for seed in self.seeds if self.seed_status(seed) == status)

    @property
    def shown_seed(self) -> int | None:
        """The seed that figures of samples show: of median validation log-likelihood.

        It is that of the last epoch; of two in the middle, the lower likelihood is taken.
        """
        order = sorted(self.seeds_with("ok"), key=self._validation)
        return order[(len(order) - 1) // 2] if order else None

    def _validation(self, seed: int) -> float:
        trained = self.stages["train"][seed]
        return trained.metric("validation_log_likelihood", checkpoint="last").value

    @property
    def stored(self) -> list[Stored]:
        """Every record of the experiment."""
        per_seed = [stored for stage in self.stages.values() for stored in stage.values()]
        optional = [self.sample_metrics] if self.sample_metrics else []
        return [self.fetch, *per_seed, self.baselines, *optional]

    @property
    def messages(self) -> list[str]:
        """Why results are missing and what to do, one line each; files without their folders."""
        title = self.experiment.title
        if self.fetch.record.status == "data_not_available":
            file, _, problem = self.fetch.record.message.partition(": ")
            return [f"{title}: {'/'.join(Path(file).parts[-2:])} in the data directory: {problem}"]
        diverged = {seed: self.stages["train"][seed] for seed in self.seeds_with("diverged")}
        return [
            f"{title}, seed {seed}: {stored.record.message}" for seed, stored in diverged.items()
        ]


def collect(suite_config: Path, results: Path) -> list[ExperimentResults]:
    """Reads the records of every experiment of a suite.

    Args:
        suite_config: the suite file.
        results: the suite's folder of results.

    Raises:
        GanbenchError: a record is missing, malformed, or made with other settings, other code or
            other data than the records beside it, or from other files than they list.
    """
    collected = [
        _experiment(results, name, config, experiment, seeds)
        for name, config, experiment, seeds in suite_experiments(suite_config)
    ]
    records = {stored.path: stored.record for one in collected for stored in one.stored}
    chain.refuse(records, load_suite(suite_config).name)
    return collected


def _experiment(
    results: Path, name: str, config: Path, experiment: Experiment, seeds: tuple[int, ...]
) -> ExperimentResults:
    folder = results / name
    measured = folder / "sample_metrics.json"
    collected = ExperimentResults(
        name=name,
        config=config,
        experiment=experiment,
        seeds=seeds,
        fetch=_read(results / "data" / f"{experiment.dataset}.json"),
        baselines=_read(folder / "baselines.json"),
        stages={
            stage: {seed: _read(folder / f"seed_{seed}" / f"{stage}.json") for seed in seeds}
            for stage in SEED_STAGES
        },
        sample_metrics=None if missing(measured) else _read(measured),
    )
    for stored in collected.stored[1:]:
        training = stored.record.stage == "train"
        now = experiment.training_digest if training else experiment.digest
        refuse_stale(stored.path, effective_digest(stored.record), now, config)
    for stage in SEED_STAGES:
        _refuse_mixed(collected.stages[stage].values())
    return collected


def _read(path: Path) -> Stored:
    return Stored(path, read_record(path))


def _refuse_mixed(stage: Collection[Stored]) -> None:
    """Records of one stage must agree in what can change their numbers."""
    compared: dict[str, Callable[[Record], str]] = {
        "settings": lambda record: f"config digest {effective_digest(record)[:12]}",
        "numbers": numbers_version,
        # A stage that had nothing to work on has read no data.
        "pixels": lambda record: (
            f"data set digest {settings_digest(record.datasets)[:12]}" if record.datasets else ""
        ),
    }
    for what, describe in compared.items():
        described = [(stored.path, describe(stored.record)) for stored in stage]
        (first_path, first), *others = [pair for pair in described if pair[1]] or [(None, "")]
        for path, text in others:
            if text != first:
                raise GanbenchError(
                    f"{path}: its {what} ({text}) are not those of {first_path} ({first}); a table "
                    "cannot mix them: run the older one's stage again"
                )


def holds(metric: Metric) -> bool:
    """Returns whether a measured number keeps the bound in its labels."""
    bound = float(metric.labels["bound"])
    at_most = metric.labels["relation"] == "at most"
    return metric.value <= bound if at_most else metric.value >= bound
