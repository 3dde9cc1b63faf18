"""What Snakemake itself costs with many seeds: docs/cluster.md has the numbers.

`SEEDS=3000 python -m pytest -s tests/bench/test_growth.py` measures and prints them for as many.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from workspace import ROOT

# Without states that are reported early, which have files of their own.
EXPERIMENTS = ("digits", "mnist_25_epochs", "faces48", "cifar10_fc")
SEEDS = int(os.environ.get("SEEDS", "50"))
# Several times what was measured, in processor seconds and MB: a slower machine passes.
MOST_S = 15 + 0.04 * SEEDS * len(EXPERIMENTS)
MOST_MB = 300 + 0.3 * SEEDS * len(EXPERIMENTS)
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
"""


def cost(
    folder: Path, seeds: int, *arguments: str, settings: Sequence[str] = ()
) -> tuple[float, float]:
    """Returns processor seconds and peak MB of a dry run of the experiments with so many seeds."""
    configs = ROOT / "configs/experiments"
    entries = [f"{{config: {configs / name}.yaml, seeds: 0-{seeds - 1}}}" for name in EXPERIMENTS]
    suite = folder / f"suite_{seeds}.yaml"
    suite.write_text(f"{{name: many, title: many, experiments: [{', '.join(entries)}]}}")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "2"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    # By a process of its own: a child begins with the peak of the one that it was forked from.
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            MEASURE,
            *command,
            *arguments,
            "--config",
            *settings,
            f"suite={suite}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, peak = map(float, done.stdout.split())
    print(f"\n{seeds} seeds: {seconds:.1f} s, {peak:.0f} MB", end="")
    return seconds, peak


def test_planning_grows_no_faster_than_the_seeds(tmp_path: Path) -> None:
    seconds, peak = cost(tmp_path, SEEDS)
    assert seconds < MOST_S
    assert peak < MOST_MB


@pytest.mark.parametrize("together", [1, 100])
def test_a_job_reads_no_more_where_there_are_more_seeds(tmp_path: Path, together: int) -> None:
    rule = "train" if together == 1 else "train_digits_seeds_0_to_99"
    wildcards = "experiment=digits,seed=0" if together == 1 else ""
    job = ["--target-jobs", f"{rule}:{wildcards}", "--allowed-rules", rule, "--force", "--nolock"]
    few, many = (
        cost(tmp_path, seeds, *job, "--mode", "remote", settings=[f"seeds_per_job={together}"])[0]
        for seeds in (100, 3000)
    )
    # A second more for 12,000 seeds and 120 batches; reading all of them would take several.
    assert many < few + 1.0
