"""Timing on a GPU: by events, with a cold or a warm cache, launched or replayed from a graph."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Larger than any GPU's second-level cache, bytes.
FLUSH_BYTES = 512 * 2**20
WARMUP, SAMPLES = 5, 50
COPY_BYTES, MATRIX_SIDE = 2**30, 8192


def quantiles_ms(call: Callable[[], Any], cold: bool) -> tuple[float, float, float]:
    """Returns the 20 %, 50 % and 80 % quantiles of a call's time on the GPU, ms.

    Args:
        call: launches work on the current device.
        cold: whether to overwrite the cache before each sample.
    """
    flush = torch.empty(FLUSH_BYTES // 4, device="cuda") if cold else None
    times = samples_ms(call, flush.zero_ if flush is not None else lambda: None, SAMPLES)
    low, middle, high = np.quantile(times, (0.2, 0.5, 0.8)).tolist()
    return low, middle, high


def samples_ms(
    call: Callable[[], Any], before: Callable[[], Any], samples: int = SAMPLES
) -> list[float]:
    """Returns times of a call on the GPU after a few that warm up, ms.

    Args:
        call: launches work on the current device.
        before: called before each, and not timed.
        samples: how many.
    """
    events = []
    for _ in range(WARMUP + samples):
        before()
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        stop.record()
        events.append((start, stop))
    torch.cuda.synchronize()
    return [start.elapsed_time(stop) for start, stop in events[WARMUP:]]


def as_graph(call: Callable[[], Any]) -> Callable[[], None]:
    """Captures a call, and returns what replays it without the cost of launching."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARMUP):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def copy_bandwidth() -> float:
    """Returns the bytes a second that a large copy reads and writes."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    middle = quantiles_ms(lambda: target.copy_(source), cold=False)[1]
    return 2 * COPY_BYTES / (middle * 1e-3)


def matrix_rate(dtype: torch.dtype) -> float:
    """Returns the FLOP/s of a large matrix product in the current precision."""
    a = torch.randn(MATRIX_SIDE, MATRIX_SIDE, device="cuda", dtype=dtype)
    middle = quantiles_ms(lambda: a @ a, cold=False)[1]
    return 2 * MATRIX_SIDE**3 / (middle * 1e-3)


def write_rows(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Writes and prints rows as they come, and returns how many have 'failed'.

    Straight into the file: a machine that goes away leaves what it has measured.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    failed = 0
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            print(json.dumps(row), file=file, flush=True)
            print(*row.values(), flush=True)
            failed += "failed" in row
    return failed
