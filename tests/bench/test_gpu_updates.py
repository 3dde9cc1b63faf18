"""`ganbench bench gpu-updates` without a GPU: its plan, and every measurement made on a CPU."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench.bench import gpu_timing, gpu_updates
from ganbench.errors import GanbenchError
from ganbench.training.fused.replay import Replay

GPU = "needs a GPU, got none"


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of digits, in float32, timed by the processor's clock."""

    def samples_ms(call: Callable[[], Any], before: Callable[[], Any], samples: int) -> list[float]:
        times = []
        for _ in range(samples):
            before()
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
        return times

    monkeypatch.setattr(gpu_updates, "require_gpu", lambda _: None)
    monkeypatch.setattr(gpu_updates, "DEVICE", "cpu")
    monkeypatch.setattr(gpu_updates, "NETWORKS", ("digits",))
    monkeypatch.setattr(gpu_updates, "PRECISIONS", {"float32": (torch.float32, "highest")})
    monkeypatch.setattr(gpu_updates, "UPDATES", 2)
    monkeypatch.setattr(gpu_updates, "SAMPLES", 3)
    monkeypatch.setattr(gpu_timing, "samples_ms", samples_ms)
    monkeypatch.setattr(gpu_timing, "as_graph", lambda call: call)


def rows(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "updates.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_it_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=rf"bench gpu-updates: device: {GPU}; run it on a mac"):
        gpu_updates.main(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_plan_has_every_network_precision_and_number_of_seeds() -> None:
    plan = list(gpu_updates._plan())
    assert len(plan) == len(set(plan))
    assert Counter(update for update, *_ in plan) == {
        "ours": 24, "floor": 24, "plain": 12, "compiled": 12
    }  # fmt: skip
    # What the time may run out for comes last.
    assert [update for update, *_ in plan] == sorted(
        (update for update, *_ in plan), key=list(gpu_updates.MAKERS).index
    )


@pytest.mark.usefixtures("on_cpu")
def test_every_update_is_made_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[int]] = []
    start, run = Replay.start_epoch, Replay.run
    monkeypatch.setattr(
        Replay,
        "start_epoch",
        lambda self, inputs: (start(self, inputs), batches.append([int(self.inputs.batch)]))[0],
    )
    monkeypatch.setattr(
        Replay, "run",
        lambda self, count: (run(self, count), batches[-1].append(int(self.inputs.batch)))[0],
    )  # fmt: skip
    modes: list[str | None] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _, mode=None: modes.append(mode))
    gpu_updates.main(tmp_path)
    written = rows(tmp_path)
    names = [(row["update"], row["seeds"], row["impl"]) for row in written]
    assert names == [
        ("ours", 1, "engine"), ("ours", 10, "engine"),
        ("floor", 1, "torch"), ("floor", 10, "torch"),
        ("plain", 1, "torch"), ("compiled", 1, "torch"),
    ]  # fmt: skip
    for row in written:
        assert 0 < row["p20_us"] <= row["p50_us"] <= row["p80_us"] < math.inf
        assert {"network", "precision", "device", "commit", "dirty", "torch"} <= row.keys()
    assert modes == ["reduce-overhead"] * 2
    # Every sample starts at the first minibatch and stays within those that there are.
    assert batches == [[0, 2]] * 6


@pytest.mark.usefixtures("on_cpu")
def test_a_failure_and_the_end_of_time_have_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        there.append(len(rows(tmp_path)))
        raise torch.OutOfMemoryError("CUDA out of memory\nmore lines")

    there: list[int] = []
    makers = {"ours": fails, "floor": gpu_updates._floor}
    monkeypatch.setattr(gpu_updates, "MAKERS", makers)
    with pytest.raises(GanbenchError, match=r"bench gpu-updates: 2 measurements failed or had no"):
        gpu_updates.main(tmp_path)
    assert [row.get("failed") for row in rows(tmp_path)] == ["CUDA out of memory"] * 2 + [None] * 2
    assert there == [0, 1]  # each row is on disk before the next is measured
    with pytest.raises(GanbenchError, match=r"4 measurements failed or had no time left; see 'fai"):
        gpu_updates.main(tmp_path, minutes=0)
    assert {row["failed"] for row in rows(tmp_path)} == {"no time left"}
