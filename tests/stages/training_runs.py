"""A training run in this process, and what it left."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import safetensors
from safetensors.torch import load_file, save_file

from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record
from ganbench.stages.train import train

from .conftest import Project

RESULTS = ("history.csv", "generator_last.safetensors", "generator_best_validation.safetensors")


def run(project: Project, seed: int = 0, **options: float | bool | Path) -> Record:
    return train([project.job("train", seed)], project.folder, **options)[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def history(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def value_of(record: Record, name: str, **labels: str) -> Metric:
    (actual,) = (
        metric
        for metric in record.metrics
        if metric.name == name and labels.items() <= metric.labels.items()
    )
    return actual


def spoil(path: Path, change: Callable[[dict, dict], None]) -> Path:
    """Changes a checkpoint's tensors and state, and gives it the name of its new content."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors, state = load_file(path), json.loads(metadata["state"])
    change(tensors, state)
    path.unlink()
    save_file(tensors, path, metadata | {"state": json.dumps(state)})
    name = f"{path.name.partition('-')[0]}-{file_sha256(path)[:16]}.safetensors"
    return path.rename(path.with_name(name))
