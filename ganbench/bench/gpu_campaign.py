"""`make gpu-campaign`: the long runs on a borrowed GPU, in order of value, within so many minutes.

Needs torch, triton and what the command line needs; no network and no snakemake. Each run trains,
samples and is evaluated by the verbs of `ganbench`, so that its records are those of the workflow.
Running it again skips what is finished and resumes what is not.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SPARE_MINUTES = 1.0  # kept for copying the results out
BRING_BACK = ("*.json", "history.csv", "figures_last.npz")
MOST_BYTES = 60 * 1024**2
TERMINATE_SECONDS = 20.0


class Run(NamedTuple):
    """Seeds of one experiment that train together.

    Attributes:
        suite: the suite they belong to.
        experiment: a file of configs/experiments, without its suffix.
        seeds: of the run.
        minutes: what it takes on an H100: of MNIST and faces48 (beside another run) measured, else
            estimated from traffic.
    """

    suite: str
    experiment: str
    seeds: tuple[int, ...]
    minutes: float

    def folder(self, results: Path) -> Path:
        """Where the experiment's records lie."""
        return results / self.suite / self.experiment

    def finished(self, results: Path) -> bool:
        """Whether every seed has been evaluated."""
        folders = [self.folder(results) / f"seed_{seed}" for seed in self.seeds]
        return all((folder / "evaluate.json").exists() for folder in folders)


# In order of value.
RUNS = (
    Run("mnist_full_length", "mnist_full_length", (0, 1, 2, 3, 4), 9.5),
    Run("mnist_full_length", "mnist_full_length", (5, 6, 7, 8, 9), 9.5),
    Run("mnist_annealed", "mnist_annealed_100_10", (0, 1, 2), 1.3),
    Run("mnist_annealed", "mnist_annealed_100_50", (0, 1, 2), 1.2),
    Run("mnist_annealed", "mnist_annealed_300_10", (0, 1, 2), 1.7),
    Run("mnist_annealed", "mnist_annealed_300_50", (0, 1, 2), 1.8),
    Run("cifar10_30_epochs", "cifar10_fc_30_epochs", (0,), 3.0),
    Run("cifar10_conv_30_epochs", "cifar10_conv_30_epochs", (0,), 5.0),
    Run("faces48", "faces48_bfloat16", (0, 1, 2), 11.0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the runs that fit into the time given.

    Returns:
        0, or 1 where a run failed; the others are made all the same.
    """
    parser = argparse.ArgumentParser(prog="make gpu-campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=25.0, help="stop after so many")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where runs write")
    parser.add_argument("--out", type=Path, help="copy records here as they end, 60 MB at most")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, run nothing")
    options = parser.parse_args(arguments)

    end = time.monotonic() + 60 * (options.minutes - SPARE_MINUTES)
    planned = options.minutes - SPARE_MINUTES
    failed = False
    for run in RUNS:
        left = planned if options.dry_run else (end - time.monotonic()) / 60
        what = f"{run.experiment}, seeds {', '.join(map(str, run.seeds))}"
        if run.finished(options.results):
            print(f"{what}: finished already", flush=True)
        elif run.minutes > left:
            print(f"{what}: takes {run.minutes:g} min, {left:.1f} are left: not begun", flush=True)
        elif options.dry_run:
            print(f"{what}: {run.minutes:g} min", flush=True)
            planned -= run.minutes
        else:
            code = _make(run, options.results, options.device, end)
            failed |= code != 0
            print(f"{what}: exit {code}, {(end - time.monotonic()) / 60:.1f} min left", flush=True)
            if options.out:
                _bring_back(run, options.results, options.out)
    return int(failed)


def _make(run: Run, results: Path, device: str, end: float) -> int:
    """Trains, samples and evaluates; returns the first exit code that is not 0."""
    config = ROOT / "configs" / "experiments" / f"{run.experiment}.yaml"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "typings")))}
    for verb in ("train", "sample", "evaluate"):
        command = [
            *(sys.executable, "-m", "ganbench", verb, "--config", str(config)),
            *("--suite", run.suite, "--device", device, "--seeds", ",".join(map(str, run.seeds))),
            *("--out", str(run.folder(results) / "seed_{seed}" / f"{verb}.json")),
        ]
        process = subprocess.Popen(command, env=environment)
        try:
            code = process.wait(max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            # A checkpoint is written on SIGTERM: the next campaign goes on from it.
            process.terminate()
            try:
                process.wait(TERMINATE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return 124
        if code:
            return code
    return 0


def _bring_back(run: Run, results: Path, out: Path) -> None:
    """Copies records and, of the first seed, the generator; never more than `MOST_BYTES` in all."""
    folder = run.folder(results)
    files = [path for pattern in BRING_BACK for path in sorted(folder.rglob(pattern))]
    files += sorted(folder.glob(f"seed_{run.seeds[0]}/generator_last.safetensors"))
    used = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    for path in files:
        target = out / path.relative_to(results)
        if target.exists() or used + path.stat().st_size > MOST_BYTES:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        used += path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
