"""`ganbench bench run` on a GPU: every op against eager and compiled torch, at one precision each.

Nothing here has been measured where no record under results/published/ says so.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganbench.bench.gpu_timing import (
    as_graph,
    copy_bandwidth,
    matrix_rate,
    quantiles_ms,
    write_rows,
)
from ganbench.bench.kernel_cases import cases, runnable
from ganbench.checkout import git_state
from ganbench.errors import GanbenchError
from ganbench.provenance import atomic_path, device_name, versions
from ganbench_kernels.spec import Benchmark

if TYPE_CHECKING:
    import pandas as pd

SEEDS = 10
SCALES = (1, 10)
PRECISIONS = {
    "float32": (torch.float32, "highest"),
    "tf32": (torch.float32, "high"),
    "bfloat16": (torch.bfloat16, "highest"),
}


def main(out: Path) -> None:
    """Measures all ops and writes kernels.jsonl, kernels.md and kernels.svg into a folder.

    Args:
        out: the folder.

    Raises:
        GanbenchError: there is no GPU.
    """
    require_gpu("bench run")
    write_rows(measure(), out / "kernels.jsonl")
    summarise(out)


def summarise(out: Path) -> None:
    """Writes kernels.md and kernels.svg from a folder's kernels.jsonl."""
    # Machines lent for their GPU often have torch and nothing to draw with.
    missing = [name for name in ("pandas", "matplotlib", "tabulate") if not find_spec(name)]
    if missing:
        print(f"{out}: no table or figure without {', '.join(missing)}; kernels.jsonl has all rows")
        return
    import pandas as pd

    frame = pd.read_json(out / "kernels.jsonl", lines=True)
    with atomic_path(out / "kernels.md") as path:
        path.write_text(frame.to_markdown(index=False, floatfmt=".4g") + "\n", encoding="utf-8")
    _figure(frame, out / "kernels.svg")


def require_gpu(verb: str) -> None:
    """Checks that there is a GPU.

    Raises:
        GanbenchError: there is none.
    """
    if not torch.cuda.is_available():
        raise GanbenchError(
            f"{verb}: device: needs a GPU, got none; run it on a machine that has one"
        )


def machine(device: str) -> dict[str, Any]:
    """Returns device, commit and versions of what is measured here."""
    commit, dirty = git_state()
    return {"device": device_name(device), "commit": commit, "dirty": dirty} | versions()


def measure() -> Iterator[dict[str, Any]]:
    """Yields one row per op, size, precision, implementation, cache and launch."""
    common = machine("cuda")
    bandwidth, before = copy_bandwidth(), torch.get_float32_matmul_precision()
    for precision, (dtype, setting) in PRECISIONS.items():
        torch.set_float32_matmul_precision(setting)
        limits = bandwidth, matrix_rate(dtype)
        for scale in SCALES:
            sizes = {"precision": precision, "scale": scale, "seeds": SEEDS}
            for case, name, call in _calls(dtype, scale):
                for row in _rows(case, call, limits):
                    yield {"op": case.op, "impl": name} | sizes | row | common
    torch.set_float32_matmul_precision(before)


def _calls(dtype: torch.dtype, scale: int) -> Iterator[tuple[Benchmark, str, Any]]:
    """Ours in every implementation, and the rivals as they are and compiled."""
    for impl in ("triton", "auto"):
        for case in cases("cuda", dtype, SEEDS, scale, impl):
            yield case, impl, runnable(case, case.ours)
    for case in cases("cuda", dtype, SEEDS, scale, "reference"):
        for name, rival in case.rivals.items():
            yield case, name, runnable(case, rival)
            if case.inputs:
                compiled = torch.compile(rival, dynamic=False)
                yield case, f"{name}_compiled", runnable(case, compiled)


def _rows(case: Benchmark, call: Any, limits: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """Both caches, launched and from a graph, with the share of what the GPU could do."""
    bandwidth, rate = limits
    floor_ms = 1e3 * max(case.min_bytes / bandwidth, case.flops / rate)
    for launch, timed in (("launched", call), ("graph", as_graph(call))):
        for cache in ("warm", "cold"):
            low, middle, high = quantiles_ms(timed, cold=cache == "cold")
            times = {"p20_ms": low, "p50_ms": middle, "p80_ms": high}
            yield {"launch": launch, "cache": cache} | times | {"of_limit": floor_ms / middle}


def _figure(frame: "pd.DataFrame", path: Path) -> None:
    """Median times by op and implementation, warm cache, launched, paper's size, float32."""
    import matplotlib.pyplot as plt

    chosen = frame.query(
        "launch == 'launched' and cache == 'warm' and scale == 1 and precision == 'float32'"
    )
    table = chosen.pivot_table(index="op", columns="impl", values="p50_ms")
    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    table.plot.barh(ax=axes, logx=True)
    axes.set_xlabel("median time on the GPU (ms)")
    axes.set_ylabel("")
    axes.set_title(f"Fused ops, {SEEDS} seeds, float32, {frame['device'].iloc[0]}")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg")
    plt.close(figure)
