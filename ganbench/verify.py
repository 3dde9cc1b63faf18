"""`ganbench verify`: every digest, identity and range of a results folder; imports no torch.

A published folder keeps the records, the histories and the theory's arrays; weights, samples and
figures stay behind. What may stay behind is counted where it is absent and checked where it is not.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganbench import chain
from ganbench.archives import read_safetensors
from ganbench.errors import DataError, GanbenchError
from ganbench.inputs import read_json
from ganbench.provenance import file_sha256
from ganbench.records import Record, read_record
from ganbench.report.collect import read_history
from ganbench.report.schemas import check_report, read_benchmarks, read_shown

# Never left behind by `make publish`, so that a folder without them is damaged.
KEPT = ("history.csv", "theory.npz")
SKIPPED = {"checkpoints", "logs"}
AGAIN = "run its stage again"


@dataclass
class Verified:
    """What was found in a folder.

    Attributes:
        findings: a line each, naming the file.
        records: how many were read.
        checked: files whose digest was compared.
        absent: files that a record names and that are not here, as in a published folder.
    """

    findings: list[str] = field(default_factory=list)
    records: int = 0
    checked: set[Path] = field(default_factory=set)
    absent: set[Path] = field(default_factory=set)

    @property
    def summary(self) -> str:
        """One line in words."""
        return (
            f"{self.records} records and {len(self.checked)} files checked, "
            f"{len(self.absent)} files not here, {len(self.findings)} findings"
        )


def verify(results: Path) -> Verified:
    """Checks results/SUITE, or a folder of such folders.

    Args:
        results: the folder; nothing in it is changed.

    Raises:
        GanbenchError: it is no folder.
        DataError: it holds no record.
    """
    if not results.is_dir():
        raise GanbenchError(f"{results}: is no folder; give a folder such as results/SUITE")
    verified = Verified()
    by_suite: dict[Path, dict[Path, Record]] = defaultdict(dict)
    for path in _json_files(results):
        try:
            record = _read(path)
        except GanbenchError as problem:
            verified.findings.append(str(problem))
            continue
        if record:
            by_suite[_suite_folder(path, record)][path] = record
    for records in by_suite.values():
        verified.records += len(records)
        verified.findings += chain.findings(records)
        for path, record in records.items():
            verified.findings += _files(path, record, verified)
    if not verified.records and not verified.findings:
        raise DataError(f"{results}: holds no record; give a folder such as results/SUITE")
    return verified


def _json_files(results: Path) -> Iterator[Path]:
    """In a fixed order, without following links; checkpoints are of runs that are not done."""
    for folder, folders, files in os.walk(results):
        folders[:] = sorted(one for one in folders if one not in SKIPPED and one[0] != ".")
        yield from (Path(folder, one) for one in sorted(files) if one.endswith(".json"))


def _read(path: Path) -> Record | None:
    """Reads a JSON file as what it is; None if it is sound and no record."""
    remedy = "delete it and make it again"
    content = read_json(path, remedy)
    named_so = path.stem in (*chain.SEED_STAGES, "baselines", "sample_metrics", "theory")
    if named_so or (isinstance(content, dict) and "schema_version" in content):
        return read_record(path)
    if path.name == "report.json":
        # Reports of earlier versions have fewer parts; all have the table.
        whole = isinstance(content, dict) and "claims" in content
        check_report(path) if whole else read_shown(path)
    elif isinstance(content, dict) and "benchmarks" in content:
        read_benchmarks(path)
    return None


def _suite_folder(path: Path, record: Record) -> Path:
    """Records that belong together; those of a user's own samples stand alone."""
    if record.stage == "score":
        return path
    return chain.experiment_folder(path).parent


def _files(path: Path, record: Record, verified: Verified) -> Iterator[str]:
    """Compares what a record wrote and read with what is here."""
    for name, digest in record.files.items():
        if len(Path(name).parts) != 1 or name == "..":
            yield f"{path}: files: {name!r} is no name of a file beside it; {AGAIN}"
            continue
        file = path.parent / name
        if not os.path.lexists(file):
            verified.absent.add(file)
            if name in KEPT:
                yield f"{file}: is missing; delete {path} and {AGAIN}"
            continue
        yield from _same(file, digest, path, verified)
        yield from _sound(file, record)
    for name, digest in record.inputs.items():
        here = [one for one in chain.places(path, name) if os.path.lexists(one)]
        if not here:
            verified.absent.add(path.parent / name)
            if name == chain.MADE_FROM.get(record.stage):
                yield f"{path.parent / name}: is missing, {path.name} was made from it; {AGAIN}"
        # Records are compared by `chain.findings`.
        elif here[0].suffix != ".json":
            yield from _same(here[0], digest, path, verified)


def _same(file: Path, digest: str, path: Path, verified: Verified) -> Iterator[str]:
    try:
        actual = file_sha256(file)
    except GanbenchError as problem:
        yield str(problem)
        return
    verified.checked.add(file)
    if actual != digest:
        yield (
            f"{file}: is not the file that {path} names (sha256 {actual[:12]}..., "
            f"{digest[:12]}... there); {AGAIN}"
        )


def _sound(file: Path, record: Record) -> Iterator[str]:
    """What a digest does not say: a history that counts its epochs, weights that are numbers."""
    try:
        if file.name == "history.csv":
            yield from _whole(file, len(read_history(file)), record)
        elif file.suffix == ".safetensors":
            for name, tensor in read_safetensors(file, AGAIN).items():
                if not np.isfinite(tensor).all():
                    yield f"{file}: tensor {name!r}: holds NaN or infinity; {AGAIN}"
    except GanbenchError as problem:
        yield str(problem)


def _whole(file: Path, epochs: int, record: Record) -> Iterator[str]:
    """The history of a finished run has all its epochs; one that diverged lacks the last."""
    counted = [int(one.value) for one in record.metrics if one.name == "epochs"]
    if counted and record.status == "ok" and counted != [epochs]:
        yield f"{file}: has {epochs} epochs, its train.json counts {counted[0]}; {AGAIN}"
