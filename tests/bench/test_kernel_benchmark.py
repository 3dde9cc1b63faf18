"""What can be shown of the GPU benchmark without a GPU: errors, table and figure, candidates."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench.bench import aot, gpu_check, kernels, tune
from ganbench.errors import GanbenchError

ROW = {
    "op": "maxout", "impl": "triton", "precision": "float32", "scale": 1, "seeds": 10,
    "launch": "launched", "cache": "warm", "p20_ms": 1.0, "p50_ms": 2.0, "p80_ms": 3.0,
    "of_limit": 0.5, "device": "a GPU",
}  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"bench run: device: needs a GPU, got none; run it"):
        kernels.main(tmp_path)
    with pytest.raises(GanbenchError, match=r"bench tune: device: needs a GPU, got none; run it"):
        tune.main()
    assert not list(tmp_path.iterdir())


def test_rows_become_a_table_and_a_figure(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"impl": "eager", "p50_ms": 4.0}]
    (tmp_path / "kernels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kernels.summarise(tmp_path)
    assert "| maxout | eager  |" in (tmp_path / "kernels.md").read_text()
    assert "a GPU" in (tmp_path / "kernels.svg").read_text()


def test_missing_packages_are_said_and_the_rows_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda name: None if name == "pandas" else name)
    kernels.summarise(tmp_path)
    assert "no table or figure without pandas; kernels.jsonl has all" in capsys.readouterr().out


def test_candidates_vary_only_what_a_kernel_has() -> None:
    settings = {"PRECISION": "tf32x3", "BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_D": 32,
                "num_warps": 8, "num_stages": 2}  # fmt: skip
    actual = list(tune._candidates(settings))
    assert len(actual) == 2 * 3 * 2 * 2 * 3
    assert all(candidate.keys() == settings.keys() for candidate in actual)
    assert {candidate["PRECISION"] for candidate in actual} == {"tf32x3"}


def test_budget_table_has_a_row_for_each_build() -> None:
    measured = {"sm_80": {"k/float32": {"registers": 8, "spills": 0, "shared": 16}}}
    assert "| k/float32 |                 8 |" in aot.budget_table(measured)


def test_compiling_needs_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aot, "has_triton", lambda: False)
    with pytest.raises(GanbenchError, match=r"bench aot: triton: is not installed or TRITON_INT"):
        aot.main()


def test_every_step_of_the_gpu_check_runs_and_the_worst_code_is_returned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[list[str]] = []

    def run(step: list[str], **options: Any) -> Any:
        steps.append(step)
        assert options["timeout"] == 60.0
        assert options["env"]["PYTHONPATH"].startswith(str(gpu_check.ROOT))
        if "tests/training" in step[-1]:
            raise subprocess.TimeoutExpired(step, 60.0)
        return subprocess.CompletedProcess(step, 5 if "test_on_gpu.py" in " ".join(step) else 0)

    monkeypatch.setattr(gpu_check.subprocess, "run", run)
    monkeypatch.setattr(gpu_check.shutil, "which", lambda _: None)
    assert gpu_check.main(["--minutes", "1"]) == 124
    assert len(steps) == 4
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if ": exit " in line] == [
        "tests: exit 5",
        "tests: exit 124",
        "kernels: exit 0",
        "updates: exit 0",
    ]
    assert "compute-sanitizer: not installed, memory accesses not checked" in lines


def test_a_part_of_the_gpu_check_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda step, **_: steps.append(step) or done)
    assert gpu_check.main(["--part", "campaign", "--part", "tune"]) == 0
    assert [step[1:2] for step in steps] == [
        [str(gpu_check.ROOT / "ganbench" / "bench" / "gpu_campaign.py")],
        ["-c"],
    ]


def test_memory_and_races_are_checked_without_torchs_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda step, **_: steps.append(step) or done)
    monkeypatch.setattr(gpu_check.shutil, "which", lambda name: f"/bin/{name}")
    assert gpu_check.main(["--part", "sanitizer"]) == 0
    start = ["env", "PYTORCH_NO_CUDA_MEMORY_CACHING=1", "/bin/compute-sanitizer", "--tool"]
    assert [step[:5] for step in steps] == [[*start, "memcheck"], [*start, "racecheck"]]


def test_without_its_requirements_the_engine_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda step, **_: steps.append(step) or done)
    monkeypatch.setattr(
        gpu_check.importlib.util, "find_spec", lambda name: None if name == "pydantic" else name
    )
    assert gpu_check.main(["--part", "updates"]) == 0
    assert not steps
    said = capsys.readouterr().out
    assert said == "updates: without the training engine, which lacks pydantic\n"
