"""Which files a data set needs, where they lie, and whether they are the published ones."""

import hashlib
import os
from pathlib import Path

from ganbench.catalogue import DATASETS, DataFile, SuppliedFile
from ganbench.errors import DataError, DataNotAvailableError
from ganbench.inputs import LARGEST_FILE, missing, open_input


def file_paths(name: str, data_dir: Path) -> list[Path]:
    """Returns the files a data set needs; none for one that ships inside a package."""
    facts = DATASETS[name]
    names = [facts.supplied.name] if facts.supplied else list(facts.files)
    return [data_dir / name / file for file in names]


def published(name: str, file: str, data_dir: Path) -> Path:
    """Returns the path of a data set's file after checking that it is the published one.

    Raises:
        DataNotAvailableError: it is missing.
        DataError: it is truncated or another file.
    """
    return verified(data_dir / name / file, DATASETS[name].files[file])


def verified(path: Path, expected: DataFile) -> Path:
    """Returns `path` after checking that it is the published file.

    Raises:
        DataNotAvailableError: it is missing.
        DataError: it is truncated or another file.
    """
    if missing(path):
        raise DataNotAvailableError(
            f"{path}: is missing; run 'ganbench fetch', or set GANBENCH_DATA or --data-dir to the "
            "folder that has it"
        )
    remedy = "delete it and run 'ganbench fetch'"
    with open_input(path, LARGEST_FILE, "put the published file in its place", DataError) as file:
        size = os.fstat(file.fileno()).st_size
        if size < expected.size:
            raise DataError(f"{path}: truncated, got {size} bytes of {expected.size}; {remedy}")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected.sha256:
        raise DataError(
            f"{path}: wrong checksum, got sha256 {digest}, expected {expected.sha256}; {remedy}"
        )
    return path


def supplied_file(name: str) -> SuppliedFile:
    """Returns what the user's file of a data set must be; for data sets that have such a file."""
    file = DATASETS[name].supplied
    assert file is not None, f"{name} has no file that its user supplies"
    return file


def supplied(name: str, data_dir: Path) -> Path:
    """Returns the path of a file that only its user can supply.

    Raises:
        DataNotAvailableError: it is missing; says what it must contain and where to put it.
    """
    file = supplied_file(name)
    path = data_dir / name / file.name
    if missing(path):
        raise DataNotAvailableError(
            f"{path}: is missing and cannot be downloaded; {file.source} and put it there: it must "
            f"have {file.contents}"
        )
    return path
