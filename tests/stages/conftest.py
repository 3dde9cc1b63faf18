"""A tiny experiment on the digits, as a file, and jobs that run it."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.evaluation import parzen
from ganbench.records import Stage
from ganbench.stages.context import Job
from ganbench.training.loop import Run
from ganbench.training.progress import Progress

from .averages import COUNT, averages

DIGITS = Path(__file__).parents[2] / "configs" / "experiments" / "digits.yaml"
SAMPLES = 120


def settings() -> dict[str, Any]:
    """Three updates an epoch, the last one on 200 of 500 images; two phases of two epochs."""
    front = [{"kind": "linear", "units": 100, "activation": "sigmoid", "irange": 0.2}]
    return {
        "extends": str(DIGITS),
        "title": "tiny",
        "generator": {
            "layers": [
                {"kind": "linear", "units": 9, "activation": "relu", "irange": 0.2},
                {
                    "kind": "linear",
                    "units": 64,
                    "activation": "sigmoid",
                    # Samples differ from each other from the start.
                    "irange": 2.0,
                    "bias": "marginals",
                },
            ]
        },
        "discriminator": {
            "layers": [
                {"kind": "maxout", "units": 8, "pieces": 2, "irange": 0.05},
                {"kind": "linear", "units": 1, "irange": 0.05},
            ]
        },
        "training": {
            "batch_size": 500,
            "phases": [{"epochs": 2}, {"epochs": 2, "generator_front": front}],
        },
        "evaluation": {"monitor_every": 1, "draws": 1},
    }


class Project:
    """A folder with the experiment's file and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, settings()
        self.config = folder / "tiny.yaml"
        self.write()

    def write(self) -> None:
        """Writes the settings as they are now."""
        self.config.write_text(yaml.safe_dump(self.settings))

    def job(self, stage: Stage, seed: int | None = 0) -> Job:
        out = self.folder / f"seed_{seed}" / f"{stage}.json"
        return Job(stage, self.config, out, "tests", seed, "cpu", "auto")


def limit_samples(patch: pytest.MonkeyPatch) -> None:
    """Makes the protocol draw few samples."""
    patch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=SAMPLES))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Few samples, and threads as training jobs have them."""
    limit_samples(monkeypatch)
    torch.set_num_threads(1)
    return Project(tmp_path)


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sends this process a signal while update `number` is shown."""
    plain = Progress.update

    def arrange(number: int, which: int = signal.SIGTERM) -> None:
        def update(self: Progress, current: Run) -> None:
            plain(self, current)
            if current.counters.updates == number:
                signal.raise_signal(which)

        monkeypatch.setattr(Progress, "update", update)

    return arrange


@pytest.fixture
def tampered() -> Callable[[Path], None]:
    """Flips the last bit of a file."""

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    return change


@pytest.fixture(scope="module")
def _few_samples() -> Iterator[None]:
    """The protocol takes few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
        torch.set_num_threads(1)
        yield


@pytest.fixture
def two_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two runs of a suite: one with samples, one that diverged."""
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
    good, bad = (project.job("sample", seed) for seed in (0, 1))
    for job in (good, bad):
        job.out.parent.mkdir()
    np.save(good.out.parent / "samples_last.npy", averages())
    good.record(files=["samples_last.npy"], datasets=split_digests(digits.load()))
    bad.record(status="diverged", message="epoch 1: infinite; try again")
    return project
