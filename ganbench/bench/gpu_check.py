"""`make gpu-check`: the proof on a GPU, then the kernel benchmark.

Runs on a machine that has torch, triton and pytest and nothing else of ours installed, without a
network: `python ganbench/bench/gpu_check.py [FOLDER]` from the repository's root. Where our other
requirements are installed too, the training engine's graph is tested as well.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE_NEEDS = ("jaxtyping", "pydantic", "rich", "safetensors", "yaml")
TESTS = ROOT / "tests" / "kernels" / "test_on_gpu.py"
# `typings` holds ganbench_kernels, a link to kernels/.
PYTHONPATH = os.pathsep.join((str(ROOT), str(ROOT / "typings")))
BENCHMARK = "import pathlib, sys; from ganbench.bench.kernels import main; main(pathlib.Path({!r}))"


def main(out: str) -> int:
    """Tests, checks memory where compute-sanitizer is there, and measures.

    Args:
        out: folder for the benchmark's records.

    Returns:
        0, or the exit code of the first step that failed.
    """
    pytest = [sys.executable, "-m", "pytest", str(TESTS), f"--confcutdir={TESTS.parent}", "-v"]
    # Other versions of torch deprecate other things; ours are pinned where warnings are errors.
    pytest += ["-W", "ignore::DeprecationWarning"]
    steps = [[*pytest, "-m", "gpu"]]
    missing = [name for name in ENGINE_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        print(f"training engine: not tested, lacks {', '.join(missing)}", flush=True)
    else:
        engine = [sys.executable, "-m", "pytest", str(ROOT / "tests" / "training"), "-m", "gpu"]
        steps.append([*engine, "-W", "ignore::DeprecationWarning"])
    sanitizer = shutil.which("compute-sanitizer")
    if sanitizer:
        # Only the small shapes: each memory access is checked, some hundred times as slowly.
        steps.append([sanitizer, "--error-exitcode", "9", *pytest, "-m", "gpu", "-k", "small"])
    else:
        print("compute-sanitizer: not installed, memory accesses not checked", flush=True)
    steps.append([sys.executable, "-c", BENCHMARK.format(out)])
    for step in steps:
        code = subprocess.run(step, env=os.environ | {"PYTHONPATH": PYTHONPATH}).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "results/gpu-check"))
