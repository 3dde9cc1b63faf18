"""A copy of the project that tests of the workflow drive the real Snakemake on."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
TAG = "</script><img src=x onerror=alert(1)>"
TINY = """
extends: digits.yaml
title: TITLE
generator:
  layers:
    - {kind: linear, units: 16, activation: relu, irange: 0.2}
    - {kind: linear, units: 64, activation: sigmoid, irange: 0.2, bias: marginals}
discriminator:
  layers:
    - {kind: maxout, units: 8, pieces: 2, irange: 0.02}
    - {kind: linear, units: 1, irange: 0.02}
training:
  phases:
    - {epochs: EPOCHS}
evaluation:
  monitor_every: 1000
""".replace("TITLE", repr(TAG))
SUITE = """
name: tiny
title: TITLE
experiments:
  - {config: ../experiments/tiny.yaml, seeds: [SEEDS]}
  - {config: ../experiments/tfd.yaml, seeds: [0]}
""".replace("TITLE", repr(TAG))
# Each of these means something to a shell, and none to us.
HOSTILE = "a b'c (é) $(touch executed);"
PATIENCE_S = 300  # for a job; only a hang takes so long


class Workspace:
    """A copy of the project in which suites, sources and results can be changed."""

    def __init__(self, folder: Path, suite: str = f"configs/suites/{HOSTILE}.yaml") -> None:
        self.folder = folder
        self.suite = suite
        for name in ("ganbench", "configs", "docs", "profiles", "paper"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copytree(ROOT / "kernels", folder / "ganbench_kernels")
        for name in ("Snakefile", "environment.yaml", "DEVIATIONS.md"):
            shutil.copy(ROOT / name, folder / name)
        self.environment = os.environ | {
            "PYTHONPATH": str(folder),
            "GANBENCH_DATA": str(folder / HOSTILE),
            "GANBENCH_CHECKPOINT_SECONDS": "0",
            "OMP_NUM_THREADS": "1",
        }
        self.write(epochs=2, seeds="0")

    def write(self, epochs: int, seeds: str) -> None:
        experiment = self.folder / "configs/experiments/tiny.yaml"
        experiment.write_text(TINY.replace("EPOCHS", str(epochs)))
        (self.folder / self.suite).write_text(SUITE.replace("SEEDS", seeds))

    def start(self, *arguments: str, settings: Sequence[str] = ()) -> subprocess.Popen[str]:
        command = [SNAKEMAKE, *arguments, "--cores", "2", "--config", *settings]
        return subprocess.Popen(
            [*command, f"suite={self.suite}"],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: str, settings: Sequence[str] = ()) -> str:
        process = self.start(*arguments, settings=settings)
        output, _ = process.communicate(timeout=10 * PATIENCE_S)
        assert process.returncode == 0, output
        return output

    def planned(self, *settings: str) -> dict[str, int]:
        """Returns how many jobs of each rule a run would start now, batches with their stage."""
        table = re.search(
            r"job +count\n[- ]+\n(.*?)\n\n", self.run("-n", settings=settings), re.DOTALL
        )
        lines = table[1].splitlines() if table else []
        counts: Counter[str] = Counter()
        for name, count in (line.split() for line in lines):
            counts[re.sub("^(train|sample|evaluate)_(tiny|tfd)_.*", r"\1", name)] += int(count)
        return dict(counts)

    def read(self, path: str) -> dict:
        return json.loads((self.folder / "results/tiny" / path).read_text())
