"""A disk that is full at any file of any stage: one line, nothing lost, and it goes on later."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from report.synthetic import Synthetic

from .conftest import Ended, Runs, contents

STAGES = ("train", "sample", "evaluate")
# Files of each stage in the order in which they are written.
WRITTEN = [
    ("train", "checkpoint 1"),
    ("train", "checkpoint 6"),
    ("train", "history.csv"),
    ("train", "generator_epoch_3.safetensors"),
    ("train", "generator_last.safetensors"),
    ("train", "generator_best_validation.safetensors"),
    ("train", "train.json"),
    ("sample", "samples_last.npy"),
    ("sample", "figures_best_validation.npz"),
    ("sample", "sample.json"),
    ("evaluate", "evaluate.json"),
]


@dataclass(frozen=True)
class Line:
    """The stages of one seed, one after the other."""

    runs: Runs
    experiment: Path

    def __call__(self, stage: str, folder: Path, **options: object) -> Ended:
        arguments = [stage, "--config", self.experiment, "--out", folder / f"{stage}.json"]
        if stage == "train":
            arguments += ["--checkpoint-seconds", "0"]
        return self.runs.run(folder, *arguments, **options)


@pytest.fixture(scope="module")
def line(runs: Runs, experiment: Path) -> Line:
    return Line(runs, experiment)


@dataclass(frozen=True)
class Finished:
    """What the stages leave on a disk with room: the folder after each, and its moments."""

    folders: dict[str, Path]
    moments: dict[str, list[str]]


@pytest.fixture(scope="module")
def finished(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    parent = tmp_path_factory.mktemp("finished")
    folder, folders, moments = parent / "seed_0", {}, {}
    for stage in STAGES:
        ended = line(stage, folder)
        assert (ended.code, ended.err) == (0, "")
        folders[stage] = Path(shutil.copytree(folder, parent / stage))
        moments[stage] = ended.moments
    return Finished(folders, moments)


def number(moments: list[str], name: str) -> int:
    """The number of the moment at which a file is opened for writing."""
    update = name.removeprefix("checkpoint ")
    start = f"open .{int(update):09d}-" if update.isdigit() else f"open .{name}.tmp"
    return next(n for n, moment in enumerate(moments, 1) if moment.startswith(start))


def without_times(folder: Path) -> dict[str, object]:
    """All files, and of records what they say of other files and what they measured."""
    files: dict[str, object] = dict(contents(folder))
    for name in files:
        if name.endswith(".json"):
            record = json.loads((folder / name).read_text())
            measured = [one for one in record["metrics"] if one["unit"] != "s"]
            files[name] = (record["status"], record["files"], measured)
    return files


def assert_full(ended: Ended, folder: Path) -> None:
    """One line that names a file there, and nothing half written."""
    assert ended.code == 2
    assert ended.err.startswith(f"{folder}/")
    assert ": cannot be written (File too large); " in ended.err
    assert ended.err.endswith("free some space or choose another folder\n")
    assert ended.err.count("\n") == 1
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize(("stage", "name"), WRITTEN, ids=lambda one: one.replace(" ", "_"))
def test_a_full_disk_is_one_line_and_loses_nothing(
    line: Line, finished: Finished, tmp_path: Path, stage: str, name: str
) -> None:
    folder = tmp_path / "seed_0"
    before = STAGES[: STAGES.index(stage)]
    if before:
        shutil.copytree(finished.folders[before[-1]], folder)
    earlier = contents(folder)
    ended = line(stage, folder, at=number(finished.moments[stage], name), how=None)
    assert_full(ended, folder)
    assert earlier.items() <= contents(folder).items()
    assert not (folder / f"{stage}.json").exists()
    ended = line(stage, folder)
    assert (ended.code, ended.err) == (0, "")
    # What went wrong before the first checkpoint starts anew.
    if stage == "train" and name != "checkpoint 1":
        assert "resuming after update " in ended.out
    assert without_times(folder) == without_times(finished.folders[stage])


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    return Synthetic(tmp_path_factory.mktemp("suite"), {"mnist": (0,)}).write()


@pytest.fixture
def reported(runs: Runs, suite: Synthetic) -> Callable[..., Ended]:
    def report(**options: object) -> Ended:
        arguments = ("report", "--config", suite.config, "--out", suite.out)
        return runs.run(suite.results, *arguments, **options)

    return report


@pytest.mark.parametrize("name", ["table1.csv", "figure2_mnist.png", "report.json"])
def test_a_full_disk_while_reporting(
    suite: Synthetic, reported: Callable[..., Ended], name: str
) -> None:
    records = {one: value for one, value in contents(suite.results).items() if "seed_0" in one}
    ended = reported(at=f"open .{name}.tmp", how=None)
    # It is written in a hidden folder, which takes its place when all is there.
    assert_full(ended, suite.results)
    assert records.items() <= contents(suite.results).items()
    assert not suite.out.exists()
    if name == "report.json":
        assert (reported().code, suite.report["suite"]["name"]) == (0, "synthetic")
