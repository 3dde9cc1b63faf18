"""`ganbench merge`: adds seeds that other machines or people made to a suite's results.

Nothing is copied before every record of every seed has been checked: its settings against the
suite's files, the version of its numbers and its data against the records that are there already,
and the chain from train to sample to evaluate by the digests that each record names.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.config import Experiment, suite_experiments
from ganbench.errors import GanbenchError
from ganbench.inputs import missing
from ganbench.provenance import file_sha256
from ganbench.records import (
    Record,
    effective_digest,
    numbers_version,
    read_record,
    refuse_stale,
)

# In the order in which they are made: snakemake compares their times.
STAGES = ("train", "sample", "evaluate")
# What snakemake would draw samples from, and what it would measure.
WEIGHTS, SAMPLES = ".safetensors", ".npy"


@dataclass(frozen=True)
class Seed:
    """The records of one training run.

    Attributes:
        folder: where they lie.
        records: by stage.
    """

    folder: Path
    records: dict[str, Record]

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two runs the same one: the weights, or how it diverged."""
        train = self.records["train"]
        return train.status, train.message, train.files.get("generator_last.safetensors")

    def lacks(self, suffix: str) -> bool:
        """Whether files of that kind, which its records name, did not come along."""
        named = [name for record in self.records.values() for name in record.files]
        return any(name.endswith(suffix) and missing(self.folder / name) for name in named)


def merge(suite_config: Path, folders: Sequence[Path], results: Path) -> list[str]:
    """Copies the seeds of other results folders of a suite into its own.

    Args:
        suite_config: the suite file.
        folders: results of the suite, each holding EXPERIMENT/seed_N as `results/SUITE` does.
        results: where they go.

    Returns:
        One line for each seed: added, or there already; and what comes next, where it is not
        snakemake.

    Raises:
        GanbenchError: a record does not fit the suite or the records beside it, or a seed is there
            already with other weights. Nothing has been copied then.
    """
    added: list[tuple[Seed, Path]] = []
    lines: list[str] = []
    for name, config, experiment, listed in suite_experiments(suite_config):
        known = {folder.name: _read(folder) for folder in _seed_folders(results / name)}
        for folder in (one for parent in folders for one in _seed_folders(parent / name)):
            seed = _read(folder)
            _check(seed, experiment, config)
            for other in known.values():
                _check_beside(seed, other)
            if folder.name in known:
                _check_same(seed, known[folder.name])
                lines.append(f"{name}, {folder.name}: is there already")
                continue
            known[folder.name] = seed
            added.append((seed, results / name / folder.name))
            number = seed.records["train"].seed
            hint = "" if number in listed else f"; add {number} to its seeds in {suite_config}"
            lines.append(f"{name}, {folder.name}: added from {folder}{hint}")
    if not lines:
        raise GanbenchError(
            f"{', '.join(map(str, folders))}: no EXPERIMENT/seed_N/train.json of {suite_config}; "
            "give folders such as results/SUITE"
        )
    for seed, target in added:
        _copy(seed, target)
    if any(seed.lacks(SAMPLES) and seed.lacks(WEIGHTS) for seed, _ in added):
        lines.append(
            "some came without samples and weights, which snakemake would train again; next: "
            f"ganbench report --config {suite_config} --out {results / 'report' / 'report.json'}"
        )
    return lines


def _seed_folders(parent: Path) -> list[Path]:
    return sorted(path.parent for path in parent.glob("seed_*/train.json"))


def _read(folder: Path) -> Seed:
    return Seed(folder, {stage: read_record(folder / f"{stage}.json") for stage in STAGES})


def _check(seed: Seed, experiment: Experiment, config: Path) -> None:
    """Refuses records of other settings or another seed, and a chain that is broken."""
    before = None
    for stage, record in seed.records.items():
        path = seed.folder / f"{stage}.json"
        now = experiment.training_digest if stage == "train" else experiment.digest
        refuse_stale(path, effective_digest(record), now, config)
        if (record.stage, f"seed_{record.seed}") != (stage, seed.folder.name):
            raise GanbenchError(
                f"{path}: is a {record.stage} record of seed {record.seed}; put it where it belongs"
            )
        if before and record.status == "ok":
            _check_chain(path, record, before)
        before = path
        _check_files(path, record)


def _check_chain(path: Path, record: Record, before: Path) -> None:
    """A record names the digest of the record that it was made from."""
    digest, named = file_sha256(before), record.inputs.get(before.name, "nothing")
    if named != digest:
        raise GanbenchError(
            f"{path}: was made from another {before.name} (sha256 {named[:12]}) than the one "
            f"beside it ({digest[:12]}); merge a folder whose records were made together"
        )


def _check_files(path: Path, record: Record) -> None:
    """Files may be missing, as in published folders, but never differ."""
    for name, expected in record.files.items():
        file = path.parent / name
        if file.is_file() and file_sha256(file) != expected:
            raise GanbenchError(
                f"{file}: is not the file that {path.name} describes; merge an undamaged folder"
            )


def _check_beside(seed: Seed, other: Seed) -> None:
    """Refuses what a table could not mix."""
    for stage, record in seed.records.items():
        mine, theirs = numbers_version(record), numbers_version(other.records[stage])
        if mine != theirs:
            raise GanbenchError(
                f"{seed.folder / stage}.json: its numbers ({mine}) are not those of "
                f"{other.folder} ({theirs}); run the older one's stage again"
            )
        pixels = record.datasets, other.records[stage].datasets
        if all(pixels) and pixels[0] != pixels[1]:
            raise GanbenchError(
                f"{seed.folder / stage}.json: was made from other pixels than {other.folder}; "
                "train it on the same files"
            )


def _check_same(seed: Seed, other: Seed) -> None:
    if seed.identity != other.identity:
        raise GanbenchError(
            f"{seed.folder}: is another run than {other.folder}, of the same number (other "
            "weights); leave one of them out"
        )


def _copy(seed: Seed, target: Path) -> None:
    """Copies a seed's files, all or nothing, and dates them in the order of the stages."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".merge_") as temporary:
        copy = Path(temporary) / target.name
        shutil.copytree(seed.folder, copy, ignore=shutil.ignore_patterns("checkpoints", "*.tmp"))
        # Snakemake runs again what is older than what it was made from.
        for stage, record in seed.records.items():
            for file in (*(copy / name for name in record.files), copy / f"{stage}.json"):
                if file.exists():
                    os.utime(file)
        copy.rename(target)
