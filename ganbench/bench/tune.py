"""`ganbench bench tune`: block sizes and the choices of `auto`, measured on the GPU at hand.

Only settings that compile without spills are timed, and they compile in parallel. What was found is
written to the architecture's file in kernels/tuned/ after each kernel; `ganbench bench aot --write`
then brings the budgets up to date.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

import ganbench_kernels
from ganbench.bench.gpu_timing import as_graph, quantiles_ms
from ganbench.bench.kernel_cases import cases, runnable
from ganbench.bench.kernels import PRECISIONS, SEEDS, require_gpu
from ganbench.provenance import atomic_path, device_name
from ganbench_kernels.dispatch import (
    architecture,
    defaults_of,
    dtype_name,
    settings_of,
    tuned_table,
)
from ganbench_kernels.spec import Benchmark, specs

Table = dict[str, Any]
Settings = dict[str, Any]

# `auto` leaves the reference only for a gain that noise does not explain.
GAIN = 1.03
SIZES = (1, 10, 100)
BLOCKS = {
    "BLOCK_N": (32, 64, 128),
    "BLOCK_U": (32, 64),
    "BLOCK_D": (32, 64),
    "BLOCK_M": (64, 128),
    "BLOCK": (256, 512, 1024, 2048),
}
WARPS, STAGES = (4, 8), (2, 3, 4)
DEVICE, TUNED = "cuda", Path(str(ganbench_kernels.__path__[0])) / "tuned"
# A GPU is lent for minutes. What was not reached keeps its settings.
MINUTES = 6.0


def main(minutes: float = MINUTES) -> None:
    """Tunes for the GPU at hand and rewrites its architecture's settings.

    Args:
        minutes: begins no kernel and no size after so many.

    Raises:
        GanbenchError: there is no GPU, or the settings cannot be written.
    """
    require_gpu("bench tune")
    arch = architecture(torch.device(DEVICE))
    # Kernels read their settings from this dictionary while candidates take turns in it.
    table = tuned_table(arch) | {"configs": settings_of(arch), "measured_on": device_name(DEVICE)}
    tune(table, arch, time.monotonic() + 60 * minutes)


def tune(table: Table, arch: str, end: float) -> None:
    """Fills a table's settings and then its choices, and writes it after each step.

    Args:
        table: of the architecture, with every setting in it.
        arch: the architecture that the GPU takes settings of.
        end: of the time there is, by `time.monotonic`.
    """
    before = torch.get_float32_matmul_precision()
    for precision, (dtype, setting) in PRECISIONS.items():
        torch.set_float32_matmul_precision(setting)
        for case in cases(DEVICE, dtype, SEEDS, 1, "triton"):
            spec = specs()[case.op]
            for kernel in (name for name in spec.settings if name not in spec.untuned):
                if time.monotonic() < end and precision in table["configs"][kernel]:
                    _tune_kernel(table, arch, kernel, precision, case)
                    _write(table, arch)
    torch.set_float32_matmul_precision(before)
    table["auto"] = {}
    for dtype in (torch.float32, torch.bfloat16):
        _choose(table, dtype, end)
        _write(table, arch)


def _write(table: Table, arch: str) -> None:
    """Writes what differs from the architecture's defaults."""
    defaults = defaults_of(arch)
    changed = {
        kernel: {
            variant: settings
            for variant, settings in variants.items()
            if settings != defaults.get(kernel, {}).get(variant)
        }
        for kernel, variants in table["configs"].items()
    }
    content = table | {"configs": {kernel: ours for kernel, ours in changed.items() if ours}}
    with atomic_path(TUNED / f"{arch}.json") as path:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _tune_kernel(table: Table, arch: str, kernel: str, variant: str, case: Benchmark) -> None:
    """Replaces a kernel's settings by the fastest ones; the others of its op stay as they are."""
    # Triton is optional: only a machine that tunes needs it.
    from triton.runtime.errors import OutOfResources

    settings = table["configs"][kernel]
    best, best_ms = settings[variant], float("inf")
    for candidate in _that_compile(kernel, variant, arch, list(_candidates(settings[variant]))):
        settings[variant] = candidate
        try:
            elapsed = _milliseconds(runnable(case, case.ours))
        except (OutOfResources, torch.OutOfMemoryError):
            continue
        if elapsed < best_ms:
            best, best_ms = candidate, elapsed
    settings[variant] = best
    print(f"{kernel} {variant}: {best_ms:.4f} ms with {best}", flush=True)


def _milliseconds(call: Callable[[], Any]) -> float:
    """Time on the GPU without that of launching, the mean of a warm and a cold cache."""
    replay = as_graph(call)
    return sum(quantiles_ms(replay, cold)[1] for cold in (False, True)) / 2


def _candidates(settings: Settings) -> Iterator[Settings]:
    """Every combination of the blocks that a kernel has."""
    blocks = {name: BLOCKS[name] for name in settings if name in BLOCKS}
    options: dict[str, Any] = blocks | {"num_warps": WARPS}
    if "num_stages" in settings:
        options["num_stages"] = STAGES
    for values in itertools.product(*options.values()):
        yield settings | dict(zip(options, values, strict=True))


def _that_compile(
    kernel: str, variant: str, arch: str, candidates: list[Settings]
) -> list[Settings]:
    """The candidates with which every build of a kernel does without spills and fits."""
    # Spawned: a fork would copy the GPU's state and the locks of torch's threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs = [(kernel, variant, arch, candidate) for candidate in candidates]
        fits = list(pool.map(_compiles_cleanly, jobs))
    return [candidate for candidate, fit in zip(candidates, fits, strict=True) if fit]


def _compiles_cleanly(job: tuple[str, str, str, Settings]) -> bool:
    from ganbench_kernels import aot

    kernel, variant, arch, settings = job
    for build in aot.builds():
        if (build.kernel.__name__, build.variant) == (kernel, variant):
            resources = aot.compile_build(build, arch, settings)
            if resources.spills or resources.shared > aot.SHARED_LIMITS[arch]:
                return False
    return True


def _choose(table: Table, dtype: torch.dtype, end: float) -> None:
    """Fills `auto`: for each op and size, the implementation that was fastest."""
    for scale in SIZES:
        if time.monotonic() >= end:
            print(f"auto: sizes from {scale} times the paper's are not timed", flush=True)
            return
        for case in cases(DEVICE, dtype, SEEDS, scale, "auto"):
            rows = table["auto"].setdefault(case.op, {}).setdefault(dtype_name(dtype), [])
            fastest = _fastest(case, rows)
            if fastest:
                up_to = case.size if scale != SIZES[-1] else None
                rows.append({"up_to": up_to, "impl": fastest})


def _fastest(case: Benchmark, rows: list[dict[str, Any]]) -> str | None:
    """Times a call under each implementation, by making it the only choice of `auto`.

    Returns:
        the fastest; None where no implementation had memory enough.
    """
    before = rows[:]
    timed: dict[str, float] = {}
    for impl in ("reference", "triton", *specs()[case.op].more_impls):
        rows[:] = [{"up_to": None, "impl": impl}]
        try:
            elapsed = _milliseconds(runnable(case, case.ours))
        except torch.OutOfMemoryError:
            continue
        timed[impl] = elapsed * (1 if impl == "reference" else GAIN)
    rows[:] = before
    print(f"{case.op} {case.size}: {timed}", flush=True)
    return min(timed, key=timed.__getitem__, default=None)
