"""Where jobs stand: each state from its files, and the minutes from what a real run prints."""

import os
import re
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from ganbench.__main__ import main
from ganbench.status import Job, jobs

ROOT = Path(__file__).parent.parent
NAME = "mnist_25_epochs"
SUITE = ROOT / "configs" / "suites" / f"{NAME}.yaml"
LINE = (
    "MNIST, 25 epochs, seed {seed}: epoch {epoch}, loss D 0.5, loss G 1.2, D(x) 0.7, "
    "D(G(z)) 0.3, validation 190.0 nats at sigma 0.200, 20.0 ms an update, {left} min left"
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Seed 0 done, seed 1 trained, seed 2 at epoch 10; nothing else is begun."""
    published, folder = ROOT / "results" / "published" / NAME / NAME, tmp_path / NAME
    for seed, names in enumerate(
        [
            ("history.csv", "train.json", "sample.json", "evaluate.json"),
            ("history.csv", "train.json"),
        ]
    ):
        (folder / NAME / f"seed_{seed}").mkdir(parents=True)
        for name in names:
            shutil.copy(published / f"seed_{seed}" / name, folder / NAME / f"seed_{seed}")
    (folder / NAME / "seed_2").mkdir()
    lines = (published / "seed_2" / "history.csv").read_text().splitlines(keepends=True)
    (folder / NAME / "seed_2" / "history.csv").write_text("".join(lines[:11]))
    return folder


def seeds(results: Path) -> list[Job]:
    return [one for one in jobs(results, SUITE) if one.job.startswith("seed")]


def test_each_seed_has_the_state_that_its_files_say(results: Path) -> None:
    done, trained, training, *others = seeds(results)
    assert (done.state, done.epochs, done.minutes_ago) == ("done", (25, 25), None)
    assert (trained.state, trained.epochs) == ("trained", (25, 25))
    assert (training.state, training.epochs, training.minutes_left) == ("training", (10, 25), None)
    rows = pd.read_csv(results / NAME / "seed_2" / "history.csv")
    assert training.log_likelihood == rows["validation_log_likelihood"].dropna().iloc[-1]
    assert {one.state for one in others} <= {"waiting"}


@pytest.mark.parametrize("log", ["train_{}_2.log", "train_{}_seeds_0_to_2.log"])
def test_minutes_left_are_what_the_log_said_less_the_time_since(results: Path, log: str) -> None:
    path = results / "logs" / log.format(NAME)
    path.parent.mkdir()
    lines = [LINE.format(seed=seed, epoch=10, left=left) for seed, left in ((2, 9.0), (0, 3.0))]
    path.write_text("\n".join([*lines, LINE.format(seed=2, epoch=11, left=7.0), "a warning", ""]))
    before = time.time() - 120
    os.utime(path, (before, before))
    assert seeds(results)[2].minutes_left == pytest.approx(5.0, abs=0.1)


def test_another_experiments_log_is_not_read(results: Path) -> None:
    (results / "logs").mkdir()
    other = results / "logs" / f"train_{NAME}_5_draws_2.log"
    other.write_text(LINE.format(seed=2, epoch=10, left=9.0))
    assert seeds(results)[2].minutes_left is None


def test_a_run_that_has_no_epoch_yet_is_starting(tmp_path: Path) -> None:
    assert {one.state for one in jobs(tmp_path, SUITE)} == {"waiting"}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"train_{NAME}_0.log").touch()
    assert seeds(tmp_path)[0].state == "starting"


def test_the_verb_prints_a_line_a_job_and_needs_the_suite(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["ganbench", "status", str(results)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    words = capsys.readouterr().out
    assert re.search(r"seed 2\s+training\s+10 of 25", words)
    assert re.search(r"baselines\s+waiting", words)
    monkeypatch.setattr("sys.argv", ["ganbench", "status", str(results / "logs")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "configs/suites/logs.yaml: is missing; give the suite file" in capsys.readouterr().err
