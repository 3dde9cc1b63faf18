"""Arguments that verbs share, and what they stand for."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganbench.errors import GanbenchError
from ganbench.inputs import shipped_path, shown
from ganbench.provenance import check_out

if TYPE_CHECKING:
    from ganbench.records import Stage
    from ganbench.stages.context import Job


def _suite_name(name: str) -> str:
    """A suite is a folder of results: no path, and nothing that a terminal or page would obey."""
    if not re.fullmatch(r"[a-z0-9_]{1,100}", name):
        raise GanbenchError(
            f"--suite (or GANBENCH_SUITE): got {shown(name)}; give a suite's name: a-z, 0-9 and _"
        )
    return name


def seconds_between(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise GanbenchError(
            f"--checkpoint-seconds (or GANBENCH_CHECKPOINT_SECONDS): got {value}; give seconds "
            "from 0 on, as in 60"
        )
    return value


def shipped(path: Path | None) -> Path | None:
    """An installed copy has the shipped files wherever it is called."""
    return None if path is None else shipped_path(path)


class Device(StrEnum):
    """Where torch computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Impl(StrEnum):
    """Which kernels run."""

    auto = "auto"
    reference = "reference"
    triton = "triton"


Config = Annotated[
    Path,
    typer.Option(callback=shipped, help="The experiment file (for report: the suite file)."),
]
Out = Annotated[
    Path, typer.Option(help="The record to write; with several seeds '{seed}' stands for each.")
]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
SuiteName = Annotated[
    str,
    typer.Option(
        envvar="GANBENCH_SUITE",
        callback=_suite_name,
        help="The suite that the record belongs to.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Data directory; else $GANBENCH_DATA, else the user's cache.")
]
DeviceOption = Annotated[
    Device, typer.Option(envvar="GANBENCH_DEVICE", help="Where torch computes.")
]
ImplOption = Annotated[Impl, typer.Option(help="Which kernels run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
Like = Annotated[
    Path | None,
    typer.Option(
        help="Copy the baselines from this record of another experiment with the same data, "
        "protocol and draws."
    ),
]
InWorkflow = Annotated[
    bool,
    typer.Option(
        "--in-workflow",
        help="Record missing data or divergence and end with 0, so that the record is kept.",
    ),
]


def jobs_of(
    stage: "Stage",
    config: Path,
    out: Path,
    seeds: str | None,
    suite: str,
    device: Device,
    impl: Impl,
    dry_run: bool,
    like: Path | None = None,
) -> "Iterator[Job]":
    """One job a seed, only those whose record is missing; none on a dry run."""
    numbers = [None] if seeds is None else seeds_of(seeds)
    if len(numbers) > 1 and "{seed}" not in str(out):
        raise GanbenchError(f"--out: got {out} for several seeds; put '{{seed}}' into the path")
    targets = {number: Path(str(out).replace("{seed}", str(number))) for number in numbers}
    for path in targets.values():
        check_out(path, config, like)
    wanted = {number: path for number, path in targets.items() if not path.exists()}
    for number, path in targets.items():
        if number not in wanted:
            typer.echo(f"{path}: exists; delete it to run again")
    if dry_run:
        from ganbench.config import load_experiment

        load_experiment(config)
        for number, path in wanted.items():
            typer.echo(f"would {stage} {config} seed {number} and write {path}")
        return
    from ganbench.stages.context import Job

    # One after the other: a job's time starts when it is made.
    for number, path in wanted.items():
        yield Job(stage, config, path, suite, number, device.value, impl.value)


def seeds_of(text: str) -> list[int]:
    # Digits of 0 to 9 alone: int() takes other scripts' digits and 1_0 too.
    fits = re.fullmatch(r"(0|[1-9][0-9]{0,17})(, *(0|[1-9][0-9]{0,17}))*", text)
    numbers = [int(part) for part in text.split(",")] if fits else []
    if not fits or len(set(numbers)) < len(numbers):
        raise GanbenchError(
            f"--seeds: got {shown(text)}; give different whole numbers from 0 on, as in 0,1,2"
        )
    return numbers


def known_dataset(where: str, name: str) -> None:
    from ganbench.catalogue import DATASETS

    if name not in DATASETS:
        known = ", ".join(sorted(DATASETS))
        raise GanbenchError(f"{where}: got {shown(name)}; give one of {known}")
