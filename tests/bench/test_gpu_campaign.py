from pathlib import Path

import pytest

from ganbench.bench import gpu_campaign
from ganbench.bench.gpu_campaign import RUNS, Run
from ganbench.config import load_experiment, load_suite


def test_every_run_is_an_experiment_of_its_suite() -> None:
    configs = gpu_campaign.ROOT / "configs"
    for run in RUNS:
        experiment = configs / "experiments" / f"{run.experiment}.yaml"
        load_experiment(experiment)
        suite = load_suite(configs / "suites" / f"{run.suite}.yaml")
        assert experiment.name in {Path(entry.config).name for entry in suite.experiments}


def test_the_plan_fits_the_minutes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_campaign.main(["--dry-run", "--minutes", "14", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mnist_full_length, seeds 0, 1, 2, 3, 4: 9.5 min"
    assert lines[1].endswith("takes 9.5 min, 3.5 are left: not begun")
    assert lines[2] == "mnist_annealed_100_10, seeds 0, 1, 2: 1.3 min"
    assert lines[-1].endswith("are left: not begun")


def test_runs_bring_their_records_back_and_are_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole chain on the CPU, on digits, which need no download."""
    config = tmp_path / "configs" / "experiments" / "short.yaml"
    config.parent.mkdir(parents=True)
    base = gpu_campaign.ROOT / "configs" / "experiments" / "digits.yaml"
    config.write_text(f"extends: {base}\ntraining:\n  phases:\n    - {{epochs: 1}}\n")
    monkeypatch.setattr(gpu_campaign, "ROOT", tmp_path)
    monkeypatch.setattr(gpu_campaign, "RUNS", (Run("s", "short", (0, 1), 0.1),))
    options = ["--minutes", "5", "--device", "cpu", "--results", str(tmp_path / "results")]
    out = tmp_path / "out"
    assert gpu_campaign.main([*options, "--out", str(out)]) == 0
    brought = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    seeds = [
        f"s/short/seed_{seed}/{name}" for seed in (0, 1) for name in ("train.json", "history.csv")
    ]
    assert {
        *seeds,
        "s/short/seed_1/evaluate.json",
        "s/short/seed_0/generator_last.safetensors",
    } <= brought
    assert "s/short/seed_1/generator_last.safetensors" not in brought
    capsys.readouterr()
    assert gpu_campaign.main(options) == 0
    assert capsys.readouterr().out == "short, seeds 0, 1: finished already\n"


def test_a_failed_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_campaign, "ROOT", tmp_path)
    monkeypatch.setattr(gpu_campaign, "RUNS", (Run("s", "missing", (0,), 0.1),))
    assert gpu_campaign.main(["--minutes", "5", "--device", "cpu", "--results", str(tmp_path)]) == 1
    assert "missing, seeds 0: exit " in capsys.readouterr().out
