import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench.bench import tune
from ganbench_kernels import dispatch
from ganbench_kernels.spec import Benchmark

ARCH = "sm_100"  # extends another table
KERNEL = "sgd_kernel"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The settings of a pretended GPU, on which only some kernels and one op are tuned."""
    dispatch.settings_of.cache_clear()
    monkeypatch.setattr(tune, "DEVICE", "cpu")
    monkeypatch.setattr(tune, "TUNED", tmp_path)
    monkeypatch.setattr(tune, "_that_compile", lambda _kernel, _variant, _arch, them: them)
    case = Benchmark("sgd_momentum_max_norm_", 7, (), lambda: None, {}, 1.0, 1.0, backward=False)
    monkeypatch.setattr(tune, "cases", lambda *_: [case])
    yield dispatch.tuned_table(ARCH) | {"configs": dispatch.settings_of(ARCH)}
    dispatch.settings_of.cache_clear()


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / f"{ARCH}.json").read_text(encoding="utf-8"))


def test_the_fastest_settings_are_written_and_nothing_else(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elapsed(_: Any) -> float:
        now = table["configs"][KERNEL]["float32"]
        return abs(now["BLOCK"] - 512) + now["num_warps"]

    monkeypatch.setattr(tune, "_milliseconds", elapsed)
    before = dispatch.tuned_table(ARCH)["configs"]
    tune.tune(table, ARCH, time.monotonic() + 60)
    content = written(tmp_path)
    assert content["extends"] == "sm_90"
    assert content["configs"][KERNEL]["float32"] == {"BLOCK": 512, "num_warps": 4}
    # What no kernel was tuned for differs from the defaults as it did before.
    assert before.items() <= content["configs"].items()


def test_each_kernel_is_on_disk_before_the_next_begins(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that goes away in the middle leaves what it found."""
    monkeypatch.setattr(tune, "_milliseconds", lambda _: 1.0)
    there: list[bool] = []
    tune_kernel = tune._tune_kernel

    def look(*arguments: Any) -> None:
        there.append((tmp_path / f"{ARCH}.json").exists())
        tune_kernel(*arguments)

    monkeypatch.setattr(tune, "_tune_kernel", look)
    tune.tune(table, ARCH, time.monotonic() + 60)
    assert there[0] is False
    assert all(there[1:])


def test_out_of_memory_skips_an_implementation_and_a_candidate(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(table["configs"][KERNEL])

    def elapsed(_: Any) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tune, "_milliseconds", elapsed)
    tune.tune(table, ARCH, time.monotonic() + 60)
    assert written(tmp_path)["auto"]["sgd_momentum_max_norm_"]["float32"] == []
    assert table["configs"][KERNEL] == before


def test_no_time_left_changes_nothing(
    table: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune.tune(table, ARCH, time.monotonic() - 1)
    assert written(tmp_path)["configs"] == dispatch.tuned_table(ARCH)["configs"]
    assert written(tmp_path)["auto"] == {}
    assert "auto: sizes from 1 times the paper's are not timed" in capsys.readouterr().out
