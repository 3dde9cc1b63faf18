"""Trainings that are killed, stopped, damaged or run twice end as if nothing had happened."""

import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Ended, Runs, contents

KILLS = 20
RECORD = "train.json"


@dataclass(frozen=True)
class Training:
    """Trains the tiny experiment."""

    runs: Runs
    experiment: Path

    def arguments(self, folder: Path) -> tuple[object, ...]:
        out = ("--out", folder / RECORD)
        return (folder, "train", "--config", self.experiment, *out, "--checkpoint-seconds", "0")

    def __call__(self, folder: Path, **options: object) -> Ended:
        return self.runs.run(*self.arguments(folder), **options)


@pytest.fixture(scope="session")
def training(runs: Runs, experiment: Path) -> Training:
    return Training(runs, experiment)


@dataclass(frozen=True)
class Whole:
    """What a run leaves that nothing disturbs, and its moments."""

    results: dict[str, bytes]
    moments: list[str]


def results(folder: Path) -> dict[str, bytes]:
    """All but the record, which has times in it."""
    files = contents(folder)
    files.pop(RECORD)
    return files


@pytest.fixture(scope="module")
def whole(training: Training, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "seed_0"
    ended = training(folder)
    assert (ended.code, ended.err) == (0, "")
    return Whole(results(folder), ended.moments)


def test_the_moments_are_those_where_something_can_be_lost(whole: Whole) -> None:
    kinds = {moment.partition(" ")[0] for moment in whole.moments}
    assert kinds >= {"open", "half", "os.chmod", "os.rename", "os.remove", "os.rmdir", "update"}
    assert whole.moments.count("half .train.json.tmp") == 1
    assert [one for one in whole.moments if "update" in one][-1] == "update 12"


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(
    training: Training, whole: Whole, tmp_path: Path, number: int
) -> None:
    """At seeded moments: in an update, in a file's writing, before a renaming or a deletion."""
    moments = range(1, len(whole.moments) + 1)
    at = random.Random("kills").sample(moments, KILLS)[number]
    folder = tmp_path / "seed_0"
    assert training(folder, at=at).code == -signal.SIGKILL, whole.moments[at - 1]
    done = (folder / RECORD).exists()
    ended = training(folder)
    assert (ended.code, ended.err) == (0, ""), whole.moments[at - 1]
    actual = results(folder)
    if done:
        # Of a finished run only its checkpoints may be left over.
        actual = {name: value for name, value in actual.items() if "/" not in name}
    assert actual == whole.results, whole.moments[at - 1]


def test_kills_and_a_stop_in_both_phases(training: Training, whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "seed_0"
    assert training(folder, at="update 2").code == -signal.SIGKILL
    ended = training(folder, at="update 6", how=signal.SIGTERM)
    assert ended.code == 143
    assert "resuming after update 1 (epoch 0)\n" in ended.out
    assert ended.err == "stopped by signal 15 after update 6; run the same command again to go on\n"
    ended = training(folder, at="half .train.json.tmp")
    assert ended.code == -signal.SIGKILL
    ended = training(folder)
    assert (ended.code, ended.err) == (0, "")
    assert "resuming after update 12 (epoch 4)\n" in ended.out
    assert results(folder) == whole.results


@pytest.fixture(scope="module")
def killed(training: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves that is killed after its seventh checkpoint."""
    folder = tmp_path_factory.mktemp("killed") / "seed_0"
    assert training(folder, at="update 8").code == -signal.SIGKILL
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: bytes(len(content)),
    ],
    ids=["empty", "short", "flipped", "zeros"],
)
def test_a_damaged_newest_checkpoint_costs_an_update(
    training: Training,
    whole: Whole,
    killed: Path,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
) -> None:
    folder = Path(shutil.copytree(killed, tmp_path / "seed_0"))
    newest = sorted(folder.glob("checkpoints/*/*.safetensors"))[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    ended = training(folder)
    assert ended.code == 0
    assert ended.err.startswith(f"{newest}: is damaged (")
    assert ended.err.endswith("; using the one before\n")
    assert ended.err.count("\n") == 1
    assert "resuming after update 6 " in ended.out
    assert results(folder) == whole.results


def test_of_two_runs_in_one_folder_the_second_is_refused(
    training: Training, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "seed_0"
    first = training.runs.start(*training.arguments(folder), at="update 5", how=signal.SIGSTOP)
    assert training.runs.end(first) is None
    before = contents(folder)
    second = training(folder)
    assert second.code == 2
    assert second.err == (
        f"{folder}: another `ganbench train` is at work here; wait until it has ended, or stop it\n"
    )
    assert contents(folder) == before
    training.runs.go_on(first)
    ended = training.runs.end(first)
    assert ended is not None
    assert (ended.code, ended.err) == (0, "")
    assert results(folder) == whole.results
