"""How training stops and goes on, and checkpoints that do not fit."""

import csv
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256, locked_folder
from ganbench.records import read_record
from ganbench.stages import train as stage
from ganbench.stages.train import InterruptedRunError, train
from ganbench.training import checkpoints
from ganbench.training.checkpoints import Checkpoints
from ganbench.training.loop import Run

from .conftest import Project, limit_samples
from .training_runs import RESULTS, contents, history, run, spoil, value_of


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """What an uninterrupted run leaves."""
    with pytest.MonkeyPatch.context() as patch:
        limit_samples(patch)
        plain = Project(tmp_path_factory.mktemp("plain"))
        run(plain)
        yield contents(plain.folder / "seed_0")


@pytest.mark.parametrize(
    ("number", "which"),
    [
        (1, signal.SIGTERM),
        (3, signal.SIGTERM),
        (5, signal.SIGINT),
        (6, signal.SIGTERM),
        (7, signal.SIGTERM),
        (12, signal.SIGTERM),
    ],
)
def test_a_signal_stops_a_run_that_then_goes_on_as_if_nothing_happened(
    project: Project,
    signal_at: Callable[..., None],
    uninterrupted: dict[str, bytes],
    number: int,
    which: int,
) -> None:
    """After the first update, in an epoch, and at the end of an epoch, a phase and the run."""
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    signal_at(number, which)
    with pytest.raises(InterruptedRunError) as error:
        run(project)
    assert error.value.exit_code == 143
    assert str(error.value) == (
        f"stopped by signal {int(which)} after update {number}; run the same command again to go on"
    )
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert not (project.folder / "seed_0" / "train.json").exists()
    signal_at(0)
    # Snakemake may delete what a failed job wrote.
    (project.folder / "seed_0" / "history.csv").unlink(missing_ok=True)
    record = run(project)
    assert contents(project.folder / "seed_0") == uninterrupted
    assert record.status == "ok"


def test_a_run_goes_on_from_a_folder_that_outlives_the_machine(
    project: Project,
    signal_at: Callable[..., None],
    uninterrupted: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint_dir = tmp_path / "persistent"
    signal_at(5)
    # Another seed of the same folder is another run.
    for seed in (0, 1):
        with pytest.raises(InterruptedRunError):
            run(project, seed, checkpoint_dir=checkpoint_dir)
    kept = list(checkpoint_dir.rglob("*.safetensors"))
    suite, experiment, *_ = kept[0].relative_to(checkpoint_dir).parts
    job = project.job("train", 0)
    assert (suite, experiment) == (job.suite, job.config.stem)
    shutil.rmtree(project.folder / "seed_0")
    run(project, checkpoint_dir=checkpoint_dir)
    assert "resuming after update 5" in capsys.readouterr().out
    assert contents(project.folder / "seed_0") == uninterrupted
    left = {path.parents[2].name for path in checkpoint_dir.rglob("*.safetensors")}
    assert left == {"seed_1"}


def test_a_resumed_run_says_so_and_adds_up_its_time(
    project: Project,
    signal_at: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal_at(4)
    monkeypatch.setattr(Checkpoints, "save", slowly(Checkpoints.save))
    with pytest.raises(InterruptedRunError):
        run(project)
    signal_at(0)
    capsys.readouterr()
    record = run(project)
    assert "resuming after update 4 (epoch 1)\n" in capsys.readouterr().out
    assert record.provenance.wall_time_s > 1000
    assert value_of(record, "seconds_per_update").value > 1000 / 12


def slowly(save: Callable[..., None]) -> Callable[..., None]:
    """A run that took 1000 seconds so far."""

    def patched(self: Checkpoints, number: int, tensors: dict, state: dict) -> None:
        save(self, number, tensors, state | {"counters": state["counters"] | {"seconds": 1000.0}})

    return patched


@pytest.mark.parametrize("change", [{"learning_rate": 0.2}, {"batch_size": 400}])
def test_other_settings_do_not_meet_the_checkpoint(
    project: Project,
    signal_at: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, float],
) -> None:
    signal_at(4)
    with pytest.raises(InterruptedRunError):
        run(project)
    signal_at(0)
    project.settings["training"] |= change
    project.write()
    (orphan,) = (project.folder / "seed_0" / "checkpoints").iterdir()
    run(project)
    captured = capsys.readouterr()
    assert "resuming" not in captured.out
    out = project.folder / "seed_0" / "train.json"
    assert captured.err == (
        f"{out}: starts anew; checkpoints of other settings, numbers or data are not used and "
        f"stay (--restart deletes them): {orphan}\n"
    )
    # They may be all that an unfinished run has.
    assert list(orphan.parent.iterdir()) == [orphan]
    out.unlink()
    run(project, restart=True)
    assert not orphan.exists()


def test_a_finished_run_survives_that_its_checkpoints_stay(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(checkpoints.shutil, "rmtree", refuse)
    record = run(project, checkpoint_seconds=0)
    assert read_record(project.folder / "seed_0" / "train.json") == record
    assert capsys.readouterr().err == (
        f"{project.folder / 'seed_0' / 'checkpoints'}: cannot be deleted (Permission denied); "
        "delete it by hand; the run is done all the same\n"
    )


def test_a_signal_after_the_record_does_not_fail_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Checkpoints.remove

    def remove(self: Checkpoints) -> None:
        signal.raise_signal(signal.SIGTERM)
        plain(self)

    monkeypatch.setattr(Checkpoints, "remove", remove)
    assert run(project, checkpoint_seconds=0).status == "ok"


def test_of_two_trains_on_a_seed_the_second_is_refused(project: Project) -> None:
    with (
        locked_folder(project.folder / "seed_0"),
        pytest.raises(GanbenchError, match="another `ganbench train` is at work here; wait until"),
    ):
        run(project)
    assert run(project).status == "ok"


def test_words_and_protocol_do_meet_the_checkpoint(
    project: Project, signal_at: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    signal_at(4)
    with pytest.raises(InterruptedRunError):
        run(project)
    signal_at(0)
    project.settings |= {"title": "other words"}
    project.settings["evaluation"] |= {"checkpoints": ["last"]}
    project.write()
    run(project)
    assert "resuming after update 4" in capsys.readouterr().out


@pytest.mark.parametrize(("wanted", "cost", "expected"), [(3, 0.0625, 3), (0, 0.25, 5), (0, 0, 1)])
def test_checkpoints_are_neither_too_frequent_nor_too_dear(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    wanted: float,
    cost: float,
    expected: int,
) -> None:
    """Every update takes a second here, and saving `cost`, of which 5 % of the time may go."""
    clock = SimpleNamespace(now=0.0)
    saved: list[int] = []

    def save(_: Checkpoints, number: int, *__: object) -> None:
        saved.append(number)
        clock.now += cost

    plain = Run.update

    def update(self: Run, index: list[torch.Tensor]) -> object:
        clock.now += 1
        return plain(self, index)

    monkeypatch.setattr(Run, "update", update)
    monkeypatch.setattr(Checkpoints, "save", save)
    monkeypatch.setattr(stage, "time", SimpleNamespace(monotonic=lambda: clock.now))
    run(project, checkpoint_seconds=wanted)
    steps = [late - early for early, late in pairwise(saved)]
    assert steps
    assert set(steps) == {expected}


def test_seeds_that_stand_elsewhere_go_on_in_groups_of_their_own(
    project: Project, signal_at: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    signal_at(4)
    with pytest.raises(InterruptedRunError):
        run(project, seed=1)
    signal_at(0)
    capsys.readouterr()
    records = train([project.job("train", seed) for seed in (0, 1, 2)], project.folder)
    out = capsys.readouterr().out
    assert out.count("resuming after update 4 (epoch 1)") == 1
    assert sorted(record.seed for record in records) == [0, 1, 2]
    assert {record.status for record in records} == {"ok"}


WEIGHT = "generator.layers.0.weight"
SPOILT = {
    "no weight": (lambda t, _: t.pop(WEIGHT), f"has no tensor '{WEIGHT}'"),
    "no velocity": (
        lambda t, _: t.pop("discriminator.velocity.layers.0.bias"),
        "has no tensor 'discriminator.velocity.layers.0.bias'",
    ),
    "no noise": (lambda t, _: t.pop("noise"), "has no state of the noise"),
    "no sums": (lambda t, _: t.pop("sums"), "has no tensor 'sums'"),
    "shape": (
        lambda t, _: t.update({WEIGHT: torch.zeros(3)}),
        f"tensor '{WEIGHT}' is [3], expected [9, 100]",
    ),
    "NaN": (lambda t, _: t[WEIGHT].fill_(torch.nan), f"tensor '{WEIGHT}' holds NaN or infinity"),
    "phase": (lambda _, s: s["counters"].update(phase=-1), "its counters are impossible: {"),
    "later phase": (lambda _, s: s["counters"].update(phase=9), "its counters are impossible: {"),
    "text": (lambda _, s: s["counters"].update(epoch="1"), "its state's epoch is wrong (Input"),
    "no counters": (lambda _, s: s.pop("counters"), "its state has no 'counters'"),
    "no course": (lambda _, s: s.pop("course"), "its state has no 'course'"),
    "history": (lambda _, s: s["course"].update(history=1), "its state's history is wrong (Input"),
    "environment": (
        lambda _, s: s["environments"][0].pop("device"),
        "its state's environments are wrong (0.device: Field required)",
    ),
    "environments": (
        lambda _, s: s.update(environments="AVX2"),
        "its state's environments are wrong (",
    ),
}


@pytest.mark.parametrize(("change", "problem"), SPOILT.values(), ids=SPOILT.keys())
def test_a_checkpoint_that_does_not_fit_is_named_and_the_one_before_used(
    project: Project,
    signal_at: Callable[..., None],
    uninterrupted: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict, dict], None],
    problem: str,
) -> None:
    signal_at(2)
    with pytest.raises(InterruptedRunError):
        run(project, checkpoint_seconds=0)
    signal_at(0)
    folder = project.folder / "seed_0"
    newest = spoil(sorted(folder.glob("checkpoints/*/*.safetensors"))[-1], change)
    capsys.readouterr()
    run(project)
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{newest}: {problem}")
    assert captured.err.endswith("; using the one before\n")
    assert "resuming after update 1 (epoch 0)" in captured.out
    assert contents(folder) == uninterrupted


def test_without_a_sound_checkpoint_only_restart_starts_anew(
    project: Project, signal_at: Callable[..., None], uninterrupted: dict[str, bytes]
) -> None:
    signal_at(1)
    with pytest.raises(InterruptedRunError):
        run(project)
    signal_at(0)
    folder = project.folder / "seed_0"
    for path in folder.glob("checkpoints/*/*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(GanbenchError, match="none of its 1 checkpoints can be used; give --restar"):
        run(project)
    run(project, restart=True)
    assert contents(folder) == uninterrupted


def test_seeds_share_a_process_and_keep_records_of_their_own(
    project: Project, uninterrupted: dict[str, bytes]
) -> None:
    jobs = [project.job("train", seed) for seed in (0, 4)]
    records = train(jobs, project.folder)
    assert [record.seed for record in records] == [0, 4]
    for record in records:
        folder = project.folder / f"seed_{record.seed}"
        assert read_record(folder / "train.json") == record
        assert record.files == {name: file_sha256(folder / name) for name in RESULTS}
    together, alone = history(project.folder / "seed_0"), uninterrupted["history.csv"].decode()
    for mine, theirs in zip(together, csv.DictReader(alone.splitlines()), strict=True):
        assert float(mine["generator_loss"]) == pytest.approx(float(theirs["generator_loss"]), 1e-4)
