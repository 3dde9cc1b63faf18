"""What the JSON files beside the records must hold: report.json and the benchmarks'."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ganbench.inputs import read_model


class _Part(BaseModel):
    """A file may hold more than what is read of it."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class ReportTable(_Part):
    """A table in words."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]

    @model_validator(mode="after")
    def _rows_fit(self) -> "ReportTable":
        for row in self.rows:
            if len(row) != len(self.columns) or not row:
                raise ValueError(f"a row has {len(row)} cells for {len(self.columns)} columns")
        return self


class Shown(_Part):
    """Of report.json, what a terminal shows."""

    table: ReportTable


class SuiteNames(_Part):
    """How a suite is called."""

    name: str
    title: str


class Report(Shown):
    """Of report.json, what the paper cannot do without; typst reads the rest itself."""

    suite: SuiteNames
    tables: dict[str, ReportTable]
    claims: list[dict[str, Any]]
    captions: dict[str, str]
    experiments: list[dict[str, Any]]
    provenance: dict[str, Any]


class Rival(_Part):
    """Of one benchmark and one rival."""

    ms: float
    ratio: float
    low: float
    high: float


class Timing(_Part):
    """What one of our benchmarks notes of itself."""

    group: str
    work: str
    shapes: str = "not recorded"
    precision: str
    times: Literal["median", "shortest"] = "shortest"  # as older files have them
    ours_ms: float
    calls_per_s: float
    images_per_s: float | None
    rounds: int
    rivals: dict[str, Rival]
    absent: dict[str, str]
    device: str
    threads: int
    commit: str
    dirty: bool
    versions: dict[str, str]


class _Benchmark(_Part):
    extra_info: Timing


class Benchmarks(_Part):
    """The file that pytest-benchmark writes."""

    benchmarks: list[_Benchmark] = Field(min_length=1)


def read_shown(path: Path) -> Shown:
    """Returns the table of a report.json (raises GanbenchError)."""
    return read_model(Shown, path, "a report.json", "run 'ganbench report' again")


def check_report(path: Path) -> None:
    """Refuses a report.json that no paper can be made of (raises GanbenchError)."""
    read_model(Report, path, "a report.json", "run 'ganbench report' again")


def read_benchmarks(path: Path) -> list[Timing]:
    """Returns what our benchmarks noted (raises GanbenchError)."""
    remedy = "write it with pytest benchmarks --benchmark-only --benchmark-json"
    content = read_model(Benchmarks, path, "a file of our benchmarks", remedy)
    return [one.extra_info for one in content.benchmarks]
