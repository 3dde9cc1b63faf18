"""Which files a data set needs, where they lie, and whether they are the published ones."""

import hashlib
import os
from pathlib import Path

from ganbench.archives import decompress
from ganbench.catalogue import DATASETS, DataFile, SuppliedFile
from ganbench.errors import DataError, DataNotAvailableError
from ganbench.inputs import LARGEST_FILE, missing, open_input

REMEDY = "delete it and run 'ganbench fetch'"
LARGEST_UNPACKED = 64 * 2**20  # bytes; MNIST's training images are 47 million


def file_paths(name: str, data_dir: Path) -> list[Path]:
    """Returns where the files a data set needs lie, or should lie where they are missing."""
    facts = DATASETS[name]
    names = [facts.supplied.name] if facts.supplied else list(facts.files)
    return [file_path(name, file, data_dir) for file in names]


def file_path(name: str, file: str, data_dir: Path) -> Path:
    """Returns where a file lies: in its own place, or as another tool arranged it."""
    own = data_dir / name / file
    if not missing(own):
        return own
    others = (
        data_dir / layout.format(file=file, unpacked=file.removesuffix(".gz"))
        for layout in DATASETS[name].layouts
    )
    return next((path for path in others if not missing(path)), own)


def published(name: str, file: str, data_dir: Path) -> Path:
    """Returns the path of a data set's file after checking that it is the published one.

    A file that several are in (.npz) is not checked here: its reader checks each (`check_content`).

    Raises:
        DataNotAvailableError: it is missing.
        DataError: it is truncated or another file.
    """
    path, expected = file_path(name, file, data_dir), DATASETS[name].files[file]
    return path if path.suffix == ".npz" else verified(path, expected)


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
    with open_input(path, LARGEST_FILE, "put the published file in its place", DataError) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in (expected.sha256, expected.unpacked) and not _packed_anew(path, expected):
        if size < expected.size:
            raise DataError(f"{path}: truncated, got {size} bytes of {expected.size}; {REMEDY}")
        raise _wrong_checksum(path, digest, expected.sha256)
    return path


def check_content(path: Path, content: bytes, expected: DataFile) -> None:
    """Checks what was found in a file instead of in the published one, after unpacking.

    Raises:
        DataError: it is not what the published file holds.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected.unpacked:
        raise _wrong_checksum(path, digest, expected.unpacked)


def _packed_anew(path: Path, expected: DataFile) -> bool:
    """Whether a .gz file holds what the published one does: browsers and tools pack it again."""
    if not expected.unpacked or path.suffix != ".gz":
        return False
    try:
        content = decompress(path, LARGEST_UNPACKED, REMEDY, DataError)
    except DataError:
        return False
    return hashlib.sha256(content).hexdigest() == expected.unpacked


def _wrong_checksum(path: Path, digest: str, expected: str) -> DataError:
    return DataError(f"{path}: wrong checksum, got sha256 {digest}, expected {expected}; {REMEDY}")


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
