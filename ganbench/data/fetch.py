"""The verb `fetch`: a data set on disk, verified, and a record of what its splits are."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pooch

from ganbench.config import load_experiment, settings_digest
from ganbench.data.datasets import Dataset, load, named_splits, split_digests
from ganbench.data.download import fetch
from ganbench.data.registry import file_paths
from ganbench.errors import DataNotAvailableError
from ganbench.provenance import code_digest, device_name, git_state, versions
from ganbench.records import Metric, Provenance, Record, Status

__all__ = ["available", "data_directory", "fetch", "fetch_record"]


def data_directory(flag: Path | None) -> Path:
    """Returns where data sets lie: the flag, else GANBENCH_DATA, else the user's cache."""
    chosen = flag or os.environ.get("GANBENCH_DATA") or pooch.os_cache("ganbench")
    return Path(chosen).expanduser()


def available(name: str, data_dir: Path) -> bool:
    """Returns whether the files of a data set are there; reads and downloads nothing."""
    return all(path.is_file() for path in file_paths(name, data_dir))


def fetch_record(
    config_path: Path, out: Path, suite: str, data_dir: Path, in_workflow: bool
) -> Record:
    """Fetches an experiment's data set and writes the sizes and digests of its splits.

    Args:
        config_path: the experiment file.
        out: the record to write.
        suite: its name.
        data_dir: the data directory.
        in_workflow: whether data that is not to be had becomes a record with that status.

    Raises:
        DataNotAvailableError: the data is not to be had, and `in_workflow` is false.
        DataError: a file is not what it should be.
    """
    name = load_experiment(config_path).dataset
    start = time.monotonic()
    started_at = datetime.now(UTC)
    status: Status = "ok"
    message = ""
    dataset = None
    try:
        fetch(name, data_dir, progress=sys.stderr.isatty())
        dataset = load(name, data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        status, message = "data_not_available", str(error)
    config = {"dataset": name}
    record = Record(
        stage="fetch",
        status=status,
        message=message,
        suite=suite,
        experiment=name,
        config=config,
        config_digest=settings_digest(config),
        datasets=split_digests(dataset) if dataset else {},
        metrics=_sizes(dataset) if dataset else [],
        provenance=_provenance(started_at, time.monotonic() - start),
    )
    record.write(out)
    return record


def _sizes(dataset: Dataset) -> list[Metric]:
    return [
        Metric(name="images", value=len(images), unit="1", labels={"split": split})
        for split, images in named_splits(dataset)
    ]


def _provenance(started_at: datetime, wall_time_s: float) -> Provenance:
    """Nothing is computed here, so torch is neither imported nor asked for its threads."""
    commit, dirty = git_state()
    return Provenance(
        code_digest=code_digest("fetch"),
        git_commit=commit,
        git_dirty=dirty,
        versions=versions(),
        device=device_name("cpu"),
        threads=0,
        impl="none",
        precision="uint8",
        started_at=started_at.isoformat(timespec="seconds"),
        wall_time_s=wall_time_s,
    )
