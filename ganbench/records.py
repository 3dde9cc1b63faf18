"""The result record: one JSON file per stage, and the only source of every printed number."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ganbench.checkout import git_problem, git_state
from ganbench.config import Experiment, experiment_class
from ganbench.errors import GanbenchError
from ganbench.inputs import missing, read_model, shown
from ganbench.numerics import NUMERICS, version_of
from ganbench.provenance import atomic_path, code_digest, device_name, file_sha256, versions

SCHEMA_VERSION = 1
Status = Literal["ok", "diverged", "data_not_available"]
Stage = Literal[
    "fetch", "train", "sample", "evaluate", "baselines", "sample_metrics", "score", "theory"
]
# What stages were called when some published records were made.
FORMER_STAGES = {"calibrate": "baselines", "score": "sample_metrics"}
# Units of what is counted or timed.
COUNTS = ("s", "updates", "epochs", "images", "0 or 1")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Metric(_Strict):
    """One number with its unit and what it was measured on."""

    name: str = Field(description="What was measured, e.g. log_likelihood.")
    value: float = Field(description="In `unit`.")
    unit: str = Field(description="nats, seconds, pixels, 1 ...")
    standard_error: float | None = Field(
        default=None, ge=0, description="In `unit`; over what, `n` counts."
    )
    # Strict reading takes no list for a tuple, and JSON has lists alone.
    interval: Annotated[tuple[float, float], BeforeValidator(_tuple)] | None = Field(
        default=None, description="Of 95 %, in `unit`; the measure's docstring says which."
    )
    n: int | None = Field(
        default=None, ge=0, description="Number of values behind mean and standard error."
    )
    labels: dict[str, str | int | float] = Field(
        default_factory=dict,
        description="What tells it from others of its name: split, checkpoint, sigma, epoch ...",
    )

    @model_validator(mode="after")
    def _can_be_true(self) -> "Metric":
        if self.unit in COUNTS and self.value < 0:
            raise ValueError(f"{self.name} is {self.value} {self.unit}, should not be negative")
        if self.interval and self.interval[0] > self.interval[1]:
            raise ValueError(f"{self.name} has an interval that ends before it starts")
        sigma = self.labels.get("sigma", 1)
        if isinstance(sigma, str) or sigma <= 0:
            raise ValueError(f"{self.name} has the bandwidth {shown(sigma)}, should be positive")
        return self


class Environment(_Strict):
    """What a part of a training run was computed with."""

    from_update: int = Field(ge=0, description="How many updates were made before this part.")
    code_digest: str = Field(description="Of the stage's syntax trees.")
    versions: dict[str, str] = Field(description="python, torch, triton, numpy.")
    device: str = Field(description="Model of the processor or GPU.")
    threads: int = Field(ge=0, description="CPU threads of torch.")
    instruction_set: str = Field(description="AVX2, AVX512 ..., and a GPU's architecture.")
    impl: str = Field(description="reference (plain torch) or triton.")


class Provenance(_Strict):
    """Who computed it, where, with what."""

    code_digest: str = Field(description="Of the stage's syntax trees.")
    numerics: int | None = Field(
        default=None,
        description="Version of the stage's numbers; absent in records older than versions.",
    )
    git_commit: str = Field(description="Empty outside a git checkout.")
    git_problem: str = Field(default="", description="Why git did not give the commit.")
    git_dirty: bool = Field(description="Whether tracked files differed from the commit.")
    versions: dict[str, str] = Field(description="python, torch, triton, numpy.")
    device: str = Field(description="Model of the processor or GPU.")
    threads: int = Field(ge=0, description="CPU threads of torch.")
    impl: str = Field(description="reference (plain torch) or triton.")
    precision: str = Field(description="Of the matrix products.")
    started_at: str = Field(description="UTC, ISO 8601.")
    wall_time_s: float = Field(ge=0, description="Seconds, summed over resumed runs.")
    environments: list[Environment] = Field(
        default_factory=list,
        description="Of `train`: a new one where the run went on elsewhere or with other code.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Provenance":
        starts = [one.from_update for one in self.environments]
        if sorted(set(starts)) != starts:
            raise ValueError(f"environments start at updates {shown(starts)}, should ascend")
        return self


class Record(_Strict):
    """The result of one stage for one seed of one experiment of one suite."""

    schema_version: Literal[1] = SCHEMA_VERSION
    stage: Stage
    status: Status = "ok"
    message: str = Field(default="", description="Why, when the status is not ok, and what to do.")
    suite: str
    experiment: str = Field(description="Its file's name; the data set's name for `fetch`.")
    seed: int | None = Field(default=None, description="None where no seed is involved.")
    config: dict[str, Any] = Field(description="Resolved settings.")
    config_digest: str
    inputs: dict[str, str] = Field(
        default_factory=dict, description="sha256 of each file read, by name."
    )
    files: dict[str, str] = Field(
        default_factory=dict, description="sha256 of each file written beside the record, by name."
    )
    datasets: dict[str, str] = Field(
        default_factory=dict, description="sha256 of each split's pixels, by split."
    )
    metrics: list[Metric] = Field(default_factory=list)
    provenance: Provenance

    @model_validator(mode="before")
    @classmethod
    def _rename_former_stage(cls, content: Any) -> Any:
        """Gives a stage of an older record today's name.

        `score` still is the stage of a user's own samples, whose settings have no `evaluation`.
        """
        if not isinstance(content, dict) or content.get("stage") not in FORMER_STAGES:
            return content
        if content["stage"] == "score" and "evaluation" not in (content.get("config") or {}):
            return content
        return content | {"stage": FORMER_STAGES[content["stage"]]}

    def write(self, path: Path) -> None:
        """Writes the record as JSON, all of it or nothing."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def provenance(
    stage: str,
    started: float,
    device: str = "cpu",
    threads: int = 0,
    impl: str = "none",
    precision: str = "none",
    earlier_s: float = 0.0,
    environments: Sequence[Environment] = (),
) -> Provenance:
    """Returns the provenance of a stage that ends now.

    Args:
        stage: a key of `ganbench.provenance.STAGES`.
        started: `time.time()` at its start.
        device: a torch device.
        threads: CPU threads of torch; 0 where torch was not used.
        impl: which kernels ran.
        precision: of the matrix products.
        earlier_s: seconds of runs that this one resumed.
        environments: of a training run's parts.
    """
    commit, dirty = git_state()
    return Provenance(
        code_digest=code_digest(stage),
        numerics=NUMERICS[stage],
        git_commit=commit,
        git_problem=git_problem(),
        git_dirty=dirty,
        versions=versions(),
        device=device_name(device),
        threads=threads,
        impl=impl,
        precision=precision,
        started_at=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        # A clock may be put back while a stage runs.
        wall_time_s=round(max(time.time() - started, 0.0) + earlier_s, 3),
        environments=list(environments),
    )


def read_record(path: Path) -> Record:
    """Reads a record.

    Raises:
        GanbenchError: it is missing or not a record of this version.
    """
    what = f"a result record of version {SCHEMA_VERSION}"
    remedy = (
        "run the stage that writes it" if missing(path) else "delete it and run its stage again"
    )
    return read_model(Record, Path(path), what, remedy)


def effective_digest(record: Record) -> str:
    """Returns the digest of the settings that can change the record's stage.

    A training run depends on fewer of them than its evaluation, so that another protocol does not
    make its record stale.

    Raises:
        GanbenchError: the record holds settings that this version does not know.
    """
    if record.stage != "train":
        return record.config_digest
    return known_experiment(record).training_digest


def numbers_version(record: Record) -> str:
    """Returns what decides whether a table may mix two records of one stage, in words.

    It is the version of the stage's numbers; of a record whose version nobody knows, its code.
    """
    made = record.provenance
    version = version_of(made.code_digest, made.numerics)
    return f"code {made.code_digest[:12]}" if version is None else f"version {version}"


def refuse_stale(path: Path, digest: str, now: str, config: Path) -> None:
    """Refuses a record of other settings than its configuration file has now.

    Args:
        path: of the record.
        digest: of the settings it was made with.
        now: of the settings now.
        config: the configuration file.

    Raises:
        GanbenchError: they differ.
    """
    if digest != now:
        raise GanbenchError(
            f"{path}: was made with other settings (config digest {digest[:12]}) than {config} has "
            f"now ({now[:12]}); run its stage again"
        )


def known_experiment(record: Record) -> Experiment:
    """Returns the settings of a record.

    Raises:
        GanbenchError: this version does not know them.
    """
    with suppress(ValidationError):
        if model := experiment_class(record.config):
            return model.model_validate(record.config)
    raise GanbenchError(
        f"{record.experiment}, seed {record.seed}: its {record.stage} record holds settings of "
        "another version; delete it and run its stage again"
    )


def companion(path: Path, record: Record, name: str) -> Path:
    """Returns the path of a file written beside a record, after checking its sha256.

    Args:
        path: the record's own path.
        record: what `read_record(path)` returned.
        name: a key of `record.files`.

    Raises:
        GanbenchError: the file is missing or is not the one that the record describes.
    """
    file = path.parent / name
    if missing(file) or name not in record.files:
        raise GanbenchError(f"{file}: is missing; delete {path} and run its stage again")
    digest = file_sha256(file)
    if digest != record.files[name]:
        raise GanbenchError(
            f"{file}: is not the file that {path.name} describes (sha256 {digest[:12]}..., "
            f"expected {record.files[name][:12]}...); delete {path} and run its stage again"
        )
    return file


def json_schema() -> str:
    """Returns the JSON schema of a record, generated from the model."""
    return json.dumps(Record.model_json_schema(), indent=2) + "\n"
