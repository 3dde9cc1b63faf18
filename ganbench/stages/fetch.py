"""`ganbench fetch`: a data set's files, checked, and a record of its splits; imports no torch."""

import sys
import time
from pathlib import Path

from ganbench.config import load_experiment, settings_digest
from ganbench.data.datasets import Dataset, load, named_splits, split_digests
from ganbench.data.fetch import fetch
from ganbench.errors import DataNotAvailableError
from ganbench.records import Metric, Record, Status, provenance


def fetch_record(config: Path, out: Path, suite: str, data_dir: Path, in_workflow: bool) -> Record:
    """Fetches an experiment's data set and writes the sizes and digests of its splits.

    Args:
        config: the experiment file.
        out: the record to write.
        suite: its name.
        data_dir: the data directory.
        in_workflow: whether data that is not to be had becomes a record with that status.

    Raises:
        DataNotAvailableError: the data is not to be had, and `in_workflow` is false.
        DataError: a file is not what it should be.
    """
    started = time.time()
    name = load_experiment(config).dataset
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
        print(message, file=sys.stderr)
    settings = {"dataset": name}
    record = Record(
        stage="fetch",
        status=status,
        message=message,
        suite=suite,
        experiment=name,
        config=settings,
        config_digest=settings_digest(settings),
        datasets=split_digests(dataset) if dataset else {},
        metrics=_sizes(dataset) if dataset else [],
        provenance=provenance("fetch", started),
    )
    record.write(out)
    return record


def _sizes(dataset: Dataset) -> list[Metric]:
    return [
        Metric(name="images", value=len(images), unit="1", labels={"split": split})
        for split, images in named_splits(dataset)
    ]
