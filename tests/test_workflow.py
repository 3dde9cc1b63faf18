"""Drives the real Snakemake on a copy of the sources and a suite of seconds."""

import re
import shutil
import signal
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from workspace import HOSTILE, PATIENCE_S, ROOT, SNAKEMAKE, TAG, Workspace

# Signals all processes of the run, as a terminal's Ctrl-C does; once, after the first checkpoint.
STOP = """
import os

plain = Checkpoints.save


def save_and_stop(self, number, tensors, state):
    plain(self, number, tensors, state)
    Checkpoints.save = plain
    os.killpg(os.getpgrp(), SIGNAL)


Checkpoints.save = save_and_stop
"""


class Tags(HTMLParser):
    """The tags of a page, with their sources."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, dict(attrs).get("src")))


@pytest.fixture
def edit(finished: Workspace):
    """Changes a file of the workspace for one test."""
    undo: dict[Path, str] = {}

    def change(name: str, old: str, new: str) -> None:
        path = finished.folder / name
        text = undo.setdefault(path, path.read_text())
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield change
    for path, text in undo.items():
        path.write_text(text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("siute=demo.yaml", "--config: unknown key 'siute'; did you mean 'suite'?"),
        ("device=gpu", "--config: device: got 'gpu'; give auto, cpu or cuda"),
        ("device=cpu; touch x", "--config: device: got 'cpu; touch x'; give auto, cpu or cuda"),
        ("gpus=2", "--config: gpus: got 2 without a GPU; add device=cuda"),
        ("seeds_per_job=0", "--config: seeds_per_job: got 0; give a whole number from 1 on"),
        ("suite=none.yaml", "none.yaml: cannot be read (No such file or directory); give the path"),
    ],
)
def test_a_wrong_setting_is_one_line(setting: str, message: str) -> None:
    command = [SNAKEMAKE, "-n", "--cores", "1", "--config", setting]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode != 0
    # Snakemake itself says first which profile it uses.
    said = [line for line in process.stderr.splitlines() if "profile" not in line]
    assert len(said) == 1
    assert said[0].startswith(message)


def test_everything_is_built(finished: Workspace) -> None:
    results = finished.folder / "results/tiny"
    shown = ("report/table1.csv", "report/figure2_tiny.svg", "estimators/estimators.html")
    for name in (*shown, "paper.pdf"):
        assert (results / name).stat().st_size > 0
    assert finished.planned() == {}
    # Names of folders and files are no commands.
    assert not list(finished.folder.rglob("executed"))


def test_every_file_is_declared(finished: Workspace) -> None:
    """What no rule declares is lost where jobs have folders of their own."""
    seed = finished.folder / "results/tiny/tiny/seed_0"
    expected = {"train.json", "sample.json", "evaluate.json", "history.csv"}
    expected |= {f"generator_{state}.safetensors" for state in ("last", "best_validation")}
    expected |= {f"samples_{state}.npy" for state in ("last", "best_validation")}
    expected |= {f"figures_{state}.npz" for state in ("last", "best_validation")}
    assert {path.name for path in seed.iterdir()} == expected
    summary = finished.run("--summary")
    for name in expected:
        for experiment in ("tiny", "tfd"):
            assert f"results/tiny/{experiment}/seed_0/{name}" in summary


def test_samples_that_were_deleted_are_not_made_again(finished: Workspace) -> None:
    samples = finished.folder / "results/tiny/tiny/seed_0/samples_last.npy"
    elsewhere = samples.rename(finished.folder / samples.name)
    planned = finished.planned()
    elsewhere.rename(samples)
    assert planned == {}


def test_results_go_to_another_folder(finished: Workspace) -> None:
    planned = finished.run("-n", "--directory", str(finished.folder / "else where"))
    assert re.search(r"train +2\n", planned)


def test_a_name_that_no_folder_can_have_is_one_line(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("{name: other, title: '', experiments: [{config: T.v2.yaml, seeds: [0]}]}")
    test_a_wrong_setting_is_one_line(f"suite={suite}", f"{suite}: config: got 'T.v2.yaml'; name")


def test_missing_data_stops_nothing_else(finished: Workspace) -> None:
    assert finished.read("tiny/seed_0/evaluate.json")["status"] == "ok"
    record = finished.read("tfd/seed_0/evaluate.json")
    assert record["status"] == "data_not_available"
    assert "TFD_48x48.mat" in record["message"]
    table = (finished.folder / "results/tiny/report/table1.md").read_text()
    assert "data not available" in table


def test_data_that_turns_up_is_used(finished: Workspace) -> None:
    supplied = finished.folder / HOSTILE / "tfd/TFD_48x48.mat"
    supplied.parent.mkdir(parents=True)
    supplied.touch()
    planned = finished.planned()
    shutil.rmtree(finished.folder / HOSTILE)
    expected = {"fetch": 1, "train": 1, "sample": 1, "evaluate": 1, "baselines": 1}
    expected |= {"sample_metrics": 1}
    assert expected.items() <= planned.items()


def test_a_new_seed_runs_alone(finished: Workspace) -> None:
    finished.write(epochs=2, seeds="0, 1")
    # All seeds of an experiment are scored together: the data's side is the same for all.
    expected = {"all": 1, "train": 1, "sample": 1, "evaluate": 1, "sample_metrics": 1, "report": 1}
    expected |= {"paper": 1}
    planned = finished.planned()
    finished.write(epochs=2, seeds="0")
    assert planned == expected | {"total": 7}


def test_what_is_measured_on_the_data_alone_is_measured_once(finished: Workspace, edit) -> None:
    (finished.folder / "configs/experiments/other.yaml").write_text("extends: tiny.yaml\n")
    first = "  - {config: ../experiments/tiny.yaml, seeds: [0]}\n"
    edit(finished.suite, first, first + first.replace("tiny", "other"))
    plan = finished.run("-n", "-p")
    for record in ("baselines", "sample_metrics"):
        (command,) = re.findall(rf"ganbench .*--out results/tiny/other/{record}.json.*", plan)
        assert f" --like results/tiny/tiny/{record}.json " in command
        # The first experiment's own are there already and are not made again.
        assert f"--out results/tiny/tiny/{record}.json" not in plan


def test_seeds_can_share_a_job(finished: Workspace) -> None:
    finished.write(epochs=2, seeds="0, 1, 2, 3")
    try:
        together, alone = (finished.planned(f"seeds_per_job={n}") for n in (3, 1))
        plan = finished.run("-n", "-p", settings=["seeds_per_job=3"])
    finally:
        finished.write(epochs=2, seeds="0")
    assert (together["train"], alone["train"]) == (2, 3)
    assert "--seeds 0,1,2 --out results/tiny/tiny/seed_{seed}/train.json " in plan
    assert "logs/train_tiny_seeds_0_to_2.log" in plan


def test_a_hundred_seeds_in_one_job_have_a_short_name(finished: Workspace) -> None:
    finished.write(epochs=2, seeds=", ".join(map(str, range(100))))
    try:
        plan = finished.run("-n", settings=["device=cuda"])
    finally:
        finished.write(epochs=2, seeds="0")
    assert "rule train_tiny_seeds_0_to_99:" in plan
    assert "gpu=1" in plan


def test_a_comment_or_docstring_runs_nothing(finished: Workspace, edit) -> None:
    edit("ganbench/training/loop.py", '"""', '"""Another word. ')
    edit("ganbench/training/loop.py", "import torch\n", "import torch  # a comment\n")
    assert finished.planned() == {}


def test_an_edited_module_runs_the_stages_that_use_it(finished: Workspace, edit) -> None:
    edit("ganbench/report/statistics.py", "import", "UNUSED = 1\nimport")
    assert finished.planned().keys() == {"all", "report", "paper", "total"}


def test_edited_training_code_trains_nothing_again(finished: Workspace, edit) -> None:
    edit("ganbench/training/schedules.py", "1.0", "2.0 - 1.0")
    assert finished.planned() == {}


def test_another_version_of_the_numbers_trains_again(finished: Workspace, edit) -> None:
    edit("ganbench/numerics.py", '"train": 1', '"train": 2')
    planned = finished.planned()
    assert planned["train"] == 2
    assert "fetch" not in planned
    assert "baselines" not in planned


def test_another_length_trains_again(finished: Workspace) -> None:
    finished.write(epochs=3, seeds="0")
    planned = finished.planned()
    finished.write(epochs=2, seeds="0")
    assert planned["train"] == 1
    assert "fetch" not in planned


def test_a_title_is_no_tag_in_the_html_report(finished: Workspace) -> None:
    """Snakemake writes titles, labels and parameters into the page's scripts."""
    page = finished.folder / "results/tiny/report.html"
    finished.run("--report", str(page.relative_to(finished.folder)))
    text = page.read_text(encoding="utf-8")
    page.unlink()
    assert "onerror=alert(1)" in text
    tags = Tags()
    tags.feed(text)
    assert ("img", "x") not in tags.seen
    # A script that ended early would show its rest as text.
    assert TAG not in text


def test_a_path_that_would_be_a_tag_is_one_line(tmp_path: Path) -> None:
    suite = tmp_path / "<i>" / "suite.yaml"
    suite.parent.mkdir()
    suite.write_text("{name: other, title: '', experiments: []}")
    message = f"{suite}: its path has a '<', which report.html would take for a tag; rename it"
    test_a_wrong_setting_is_one_line(f"suite={suite}", message)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path, stop: signal.Signals) -> None:
    workspace = Workspace(tmp_path / "stopped")
    workspace.write(epochs=6, seeds="0")
    target = "results/tiny/tiny/seed_0/train.json"
    settings = [f"checkpoint_dir={tmp_path / HOSTILE}"] if stop == signal.SIGKILL else []
    stop_in_training(workspace, stop, target, settings)
    assert not (workspace.folder / target).exists()
    if stop == signal.SIGKILL:
        workspace.run("--unlock")
    workspace.run(target, settings=settings)
    log = (workspace.folder / "results/tiny/logs/train_tiny_0.log").read_text()
    assert re.search(r"resuming after update [1-9]", log), log
    # What was said before is still there; a killed process says nothing.
    assert stop == signal.SIGKILL or log.startswith(
        (f"{TAG}, seed 0: epoch 1", "stopped by signal")
    )
    assert not [path for path in tmp_path.rglob(".tiny_train*")]
    assert workspace.read("tiny/seed_0/train.json")["status"] == "ok"


def test_seeds_that_share_jobs_go_on_and_give_what_those_alone_give(
    finished: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "together")
    workspace.write(epochs=2, seeds="0, 1")
    targets = [f"results/tiny/{name}/seed_0/evaluate.json" for name in ("tiny", "tfd")]
    settings = ["seeds_per_job=2"]
    stop_in_training(workspace, signal.SIGINT, targets[0], settings)
    workspace.run(*targets, settings=settings)
    for path in (finished.folder / "results/tiny").glob("*/seed_0/*"):
        other = workspace.folder / path.relative_to(finished.folder)
        # Records differ in their times.
        assert path.suffix == ".json" or path.read_bytes() == other.read_bytes()
    assert workspace.read("tiny/seed_1/evaluate.json")["status"] == "ok"


def stop_in_training(
    workspace: Workspace, stop: signal.Signals, target: str, settings: list[str]
) -> None:
    source = workspace.folder / "ganbench/training/checkpoints.py"
    text = source.read_text()
    source.write_text(text + STOP.replace("SIGNAL", str(int(stop))))
    process = workspace.start(target, settings=settings)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    source.write_text(text)
