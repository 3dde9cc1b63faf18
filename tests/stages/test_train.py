"""Training as files: what a run leaves, how it stops and how it goes on."""

from pathlib import Path

import pytest
import safetensors
import torch
from safetensors.torch import load_file

from ganbench.data.datasets import load, split_digests
from ganbench.errors import DataNotAvailableError, DivergenceError, GanbenchError
from ganbench.evaluation import parzen
from ganbench.provenance import file_sha256
from ganbench.records import read_record
from ganbench.stages import train as stage
from ganbench.stages.train import train
from ganbench.training import base
from ganbench.training.history import Row

from .conftest import Project
from .training_runs import RESULTS, contents, history, run, value_of


def test_a_run_leaves_its_record_history_and_generators(project: Project) -> None:
    record = run(project, checkpoint_seconds=0)
    folder = project.folder / "seed_0"
    assert read_record(folder / "train.json") == record
    assert (record.stage, record.status, record.seed) == ("train", "ok", 0)
    assert record.files == {name: file_sha256(folder / name) for name in RESULTS}
    assert record.datasets == split_digests(load("digits", project.folder))
    # No checkpoints are left behind.
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"train.json", *RESULTS}


def test_the_record_agrees_with_the_history(project: Project) -> None:
    record = run(project)
    rows = history(project.folder / "seed_0")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["updates"] for row in rows] == ["3", "6", "9", "12"]
    assert (value_of(record, "epochs").value, value_of(record, "updates").value) == (4, 12)
    assert value_of(record, "seconds_per_update").value > 0
    last = value_of(record, "validation_log_likelihood", checkpoint="last")
    best = value_of(record, "validation_log_likelihood", checkpoint="best_validation")
    assert (last.unit, last.n, last.labels["epoch"]) == ("nats", 297, 4)
    assert last.value == float(rows[3]["validation_log_likelihood"])
    # The best of the last phase: an earlier phase's generator has other layers.
    values = {int(row["epoch"]): float(row["validation_log_likelihood"]) for row in rows[2:]}
    assert best.value == max(values.values())
    assert best.labels["epoch"] == max(values, key=lambda epoch: values[epoch])
    for checkpoint, metric in (("last", last), ("best_validation", best)):
        path = project.folder / "seed_0" / f"generator_{checkpoint}.safetensors"
        with safetensors.safe_open(path, framework="pt") as file:
            assert file.metadata() == {"epoch": str(metric.labels["epoch"])}


def test_the_best_generator_is_that_of_the_best_epoch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose third of four epochs is the best, beside one that ends there."""
    values = iter([-1.0, -2.0, -3.0, -4.0, -1.0, -2.0, -3.0])
    monkeypatch.setattr(
        parzen, "choose_bandwidth", lambda *_: parzen.Bandwidth(0.1, [next(values)], False)
    )
    record = run(project)
    best = value_of(record, "validation_log_likelihood", checkpoint="best_validation")
    assert (best.value, best.labels["epoch"]) == (-3.0, 3)
    folder = project.folder / "seed_0"
    actual = load_file(folder / "generator_best_validation.safetensors")
    (folder / "train.json").unlink()
    project.settings["training"]["phases"][1]["epochs"] = 1
    project.write()
    run(project)
    expected = load_file(folder / "generator_last.safetensors")
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_a_generator_has_the_layers_of_its_last_phase(project: Project) -> None:
    run(project)
    weights = load_file(project.folder / "seed_0" / "generator_last.safetensors")
    assert {name: tuple(value.shape) for name, value in weights.items()} == {
        "layers.0.weight": (100, 100),
        "layers.0.bias": (100,),
        "layers.1.weight": (9, 100),
        "layers.1.bias": (9,),
        "layers.2.weight": (64, 9),
        "layers.2.bias": (64,),
    }


def test_a_run_repeats_itself_byte_for_byte_and_seeds_differ(
    project: Project, tmp_path: Path
) -> None:
    run(project)
    (tmp_path / "again").mkdir()
    other = Project(tmp_path / "again")
    run(other)
    run(other, seed=1)
    first = contents(project.folder / "seed_0")
    assert contents(other.folder / "seed_0") == first
    assert contents(other.folder / "seed_1") != first


def test_a_run_has_one_thread(project: Project) -> None:
    torch.set_num_threads(2)
    assert run(project).provenance.threads == 1


def test_missing_data_ends_a_run_by_hand_and_is_recorded_in_the_workflow(project: Project) -> None:
    project.settings["dataset"] = "tfd"
    project.write()
    with pytest.raises(DataNotAvailableError, match=r"TFD_48x48\.mat: is missing and cannot be"):
        run(project)
    out = project.folder / "seed_0" / "train.json"
    assert not out.exists()
    record = run(project, in_workflow=True)
    assert read_record(out) == record
    assert (record.status, record.files) == ("data_not_available", {})
    assert "TFD_48x48.mat: is missing" in record.message


@pytest.mark.parametrize("in_workflow", [False, True])
def test_divergence_is_recorded_whoever_asks(project: Project, in_workflow: bool) -> None:
    project.settings["training"] |= {"learning_rate": 1e30}
    project.write()
    if in_workflow:
        run(project, in_workflow=True, checkpoint_seconds=0)
    else:
        with pytest.raises(DivergenceError, match=r"^epoch 1: .* not finite; lower the lea"):
            run(project, checkpoint_seconds=0)
    record = read_record(project.folder / "seed_0" / "train.json")
    assert record.status == "diverged"
    assert record.message.startswith("epoch 1: ")
    assert (value_of(record, "epochs").value, record.files) == (1, {})
    assert not any(path.suffix == ".safetensors" for path in project.folder.rglob("*"))


def test_a_diverged_run_keeps_the_history_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "epoch 3: weights not finite; lower it"
    monkeypatch.setattr(base, "failure", lambda row, *_: message if row["epoch"] == 3 else None)
    record = run(project, in_workflow=True)
    folder = project.folder / "seed_0"
    assert record.files == {"history.csv": file_sha256(folder / "history.csv")}
    assert [row["epoch"] for row in history(folder)] == ["1", "2"]
    assert not any(metric.name == "validation_log_likelihood" for metric in record.metrics)


def test_a_results_folder_that_cannot_be_written_is_one_line(project: Project) -> None:
    (project.folder / "seed_0").write_text("a file in the folder's place")
    with pytest.raises(GanbenchError, match=r"cannot be written \(.*\); free some space or choos"):
        run(project)


def test_of_seeds_together_only_the_one_that_diverges_ends(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "epoch 2: weights not finite; lower it"
    calls = iter(range(100))

    def fail_second_seed(row: Row, *_: object) -> str | None:
        return message if row["epoch"] == 2 and next(calls) % 2 else None

    monkeypatch.setattr(base, "failure", fail_second_seed)
    jobs = [project.job("train", seed) for seed in (0, 1)]
    with pytest.raises(DivergenceError, match=r"^epoch 2: weights not finite; lower it$"):
        train(jobs, project.folder)
    sound, diverged = (read_record(job.out) for job in jobs)
    assert (sound.status, diverged.status) == ("ok", "diverged")
    assert value_of(diverged, "updates").value == 6
    assert set(diverged.files) == {"history.csv"}


def test_seeds_beyond_memory_train_in_waves(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [project.job("train", seed) for seed in range(3)]
    run_of, together = stage.Run, []
    monkeypatch.setattr(stage, "seeds_at_once", lambda *_: 2)
    monkeypatch.setattr(
        stage, "Run", lambda _, seeds, *rest: together.append(seeds) or run_of(_, seeds, *rest)
    )
    records = train(jobs, project.folder)
    assert together == [[0, 1], [2]]
    assert [(record.seed, record.status) for record in records] == [(0, "ok"), (1, "ok"), (2, "ok")]
    assert "3 seeds: memory holds 2 side by side, the others wait\n" in capsys.readouterr().out
