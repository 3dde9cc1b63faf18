"""`ganbench bench tune`: block sizes and the choices of `auto`, measured on the GPU at hand.

Only settings that compile without spills are timed. Rewrites the architecture's file in
kernels/tuned/; `ganbench bench aot --write` then brings the budgets up to date.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import ganbench_kernels
from ganbench.bench.gpu_timing import quantiles_ms
from ganbench.bench.kernel_cases import cases, runnable
from ganbench.bench.kernels import PRECISIONS, SEEDS, require_gpu
from ganbench.provenance import atomic_path, device_name
from ganbench_kernels.dispatch import architecture, dtype_name, settings_of, tuned_table
from ganbench_kernels.spec import Benchmark, specs

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


def main() -> None:
    """Tunes for the GPU at hand and rewrites its architecture's settings.

    Raises:
        GanbenchError: there is no GPU, or the settings cannot be written.
    """
    require_gpu("bench tune")
    arch = architecture(torch.device("cuda"))
    table = tuned_table(arch)
    # Kernels read their settings from here while candidates take turns in it.
    table["configs"] = settings_of(arch)
    for precision, (dtype, setting) in PRECISIONS.items():
        torch.set_float32_matmul_precision(setting)
        for case in cases("cuda", dtype, SEEDS, 1, "triton"):
            spec = specs()[case.op]
            for kernel in (name for name in spec.settings if name not in spec.untuned):
                _tune_kernel(table, arch, kernel, precision, case)
    torch.set_float32_matmul_precision("highest")
    table["auto"] = {}
    for dtype in (torch.float32, torch.bfloat16):
        _choose(table, dtype)
    table["measured_on"] = device_name("cuda")
    with atomic_path(Path(str(ganbench_kernels.__path__[0])) / "tuned" / f"{arch}.json") as path:
        path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _tune_kernel(
    table: dict[str, Any], arch: str, kernel: str, variant: str, case: Benchmark
) -> None:
    """Replaces a kernel's settings by the fastest ones; the others of its op stay as they are."""
    # Triton is optional: only a machine that tunes needs it.
    from triton.runtime.errors import OutOfResources

    settings = table["configs"][kernel]
    if variant not in settings:
        return
    best, best_ms = settings[variant], float("inf")
    for candidate in _candidates(settings[variant]):
        if not _compiles_cleanly(kernel, variant, arch, candidate):
            continue
        settings[variant] = candidate
        try:
            middle = quantiles_ms(runnable(case, case.ours), cold=False)[1]
        except OutOfResources:
            continue
        if middle < best_ms:
            best, best_ms = candidate, middle
    settings[variant] = best
    print(f"{kernel} {variant}: {best_ms:.4f} ms with {best}", flush=True)


def _candidates(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the blocks that a kernel has."""
    blocks = {name: BLOCKS[name] for name in settings if name in BLOCKS}
    options: dict[str, Any] = blocks | {"num_warps": WARPS}
    if "num_stages" in settings:
        options["num_stages"] = STAGES
    for values in itertools.product(*options.values()):
        yield settings | dict(zip(options, values, strict=True))


def _compiles_cleanly(kernel: str, variant: str, arch: str, settings: dict[str, Any]) -> bool:
    """Whether every build of a kernel does without spills and fits."""
    from ganbench_kernels import aot

    for build in aot.builds():
        if (build.kernel.__name__, build.variant) == (kernel, variant):
            budget = aot.compile_build(build, arch, settings)
            if budget.spills or budget.shared > aot.SHARED_LIMITS[arch]:
                return False
    return True


def _choose(table: dict[str, Any], dtype: torch.dtype) -> None:
    """Fills `auto`: for each op and size, the implementation that was fastest."""
    for scale in SIZES:
        for case in cases("cuda", dtype, SEEDS, scale, "auto"):
            rows = table["auto"].setdefault(case.op, {}).setdefault(dtype_name(dtype), [])
            row = {"up_to": case.size if scale != SIZES[-1] else None, "impl": "reference"}
            rows.append(row)
            row["impl"] = _fastest(case, rows)


def _fastest(case: Benchmark, rows: list[dict[str, Any]]) -> str:
    """Times a call under each implementation, by making it the only choice of `auto`."""
    before = rows[:]
    timed: dict[str, float] = {}
    for impl in ("reference", "triton", *specs()[case.op].more_impls):
        rows[:] = [{"up_to": None, "impl": impl}]
        middle = quantiles_ms(runnable(case, case.ours), cold=False)[1]
        timed[impl] = middle * (1 if impl == "reference" else GAIN)
    rows[:] = before
    print(f"{case.op} {case.size}: {timed}", flush=True)
    return min(timed, key=timed.__getitem__)
