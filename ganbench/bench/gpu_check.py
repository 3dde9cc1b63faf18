"""`make gpu-check`: the proof on a GPU: tests, sanitizer, benchmarks, tuning, long runs.

Runs on a machine that has torch, triton and pytest, without a network: `python
ganbench/bench/gpu_check.py [--part PART]... [--out FOLDER]` from the repository's root. Where the
command line's requirements are installed too, the training engine is tested and timed as well.
Every step runs, whatever the one before it did; the worst exit code is returned.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE_NEEDS = ("jaxtyping", "pydantic", "rich", "safetensors", "yaml")
TESTS = ROOT / "tests" / "kernels" / "test_on_gpu.py"
PARTS = ("tests", "sanitizer", "kernels", "updates", "tune", "campaign")
DEFAULT_PARTS = ("tests", "sanitizer", "kernels", "updates")
BENCHMARK = "import pathlib; from ganbench.bench.{} import main; main(pathlib.Path({!r}))"
TIMED_OUT = 124


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts asked for.

    Returns:
        0, or the largest exit code of a step; 124 stands for one that took too long.
    """
    parser = argparse.ArgumentParser(prog="make gpu-check", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="default: the first four")
    parser.add_argument("--out", default="results/gpu-check", help="where records go")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that a step takes")
    options = parser.parse_args(arguments)

    worst = 0
    for part in options.part or DEFAULT_PARTS:
        for step in _steps(part, options.out, options.minutes):
            code = _run(step, 60 * options.minutes)
            print(f"{part}: exit {code}", flush=True)
            worst = max(worst, code)
    return worst


def _run(step: list[str], seconds: float) -> int:
    # `typings` holds ganbench_kernels, a link to kernels/. What is on the path already stays there:
    # a machine without a network may bring its packages that way.
    known = filter(None, (str(ROOT), str(ROOT / "typings"), os.environ.get("PYTHONPATH")))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(known)}
    try:
        return abs(subprocess.run(step, env=environment, timeout=seconds).returncode)
    except subprocess.TimeoutExpired:
        return TIMED_OUT


def _steps(part: str, out: str, minutes: float) -> Iterator[list[str]]:
    # Other versions of torch deprecate other things; ours are pinned where warnings are errors.
    pytest = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "-W", "ignore"]
    kernels = [*pytest, str(TESTS), f"--confcutdir={TESTS.parent}"]
    if part == "tests":
        yield kernels
        if _has_engine(part):
            yield [*pytest, str(ROOT / "tests" / "training")]
    elif part == "sanitizer":
        sanitizer = shutil.which("compute-sanitizer")
        if sanitizer:
            # Only the small shapes: each memory access is checked, some hundred times as slowly.
            # torch's cache would hide an access past a tensor, which lands in another one's memory.
            for tool in ("memcheck", "racecheck"):
                checked = sanitizer, "--tool", tool, "--error-exitcode", "9"
                yield ["env", "PYTORCH_NO_CUDA_MEMORY_CACHING=1", *checked, *kernels, "-k", "small"]
        else:
            print("compute-sanitizer: not installed, memory accesses not checked", flush=True)
    elif part == "kernels":
        yield [sys.executable, "-c", BENCHMARK.format("kernels", out)]
    elif part == "updates":
        if _has_engine(part):
            yield [sys.executable, "-c", BENCHMARK.format("gpu_updates", out)]
    elif part == "tune":
        yield [sys.executable, "-c", "from ganbench.bench.tune import main; main()"]
    else:
        campaign = str(ROOT / "ganbench" / "bench" / "gpu_campaign.py")
        yield [sys.executable, campaign, "--minutes", str(minutes), "--out", out]


def _has_engine(part: str) -> bool:
    """Whether the training engine can run here; says what is missing."""
    missing = [name for name in ENGINE_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{part}: without the training engine, which lacks {', '.join(missing)}", flush=True)
    return not missing


if __name__ == "__main__":
    sys.exit(main())
