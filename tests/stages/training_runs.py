"""A training run in this process, and what it left."""

import csv
from pathlib import Path

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
