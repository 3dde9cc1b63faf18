"""A suite through profiles/slurm on a real Slurm of one machine (one_node.sh)."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import PATIENCE_S, Workspace

PLUGIN = "snakemake_executor_plugin_slurm"
SYSTEM = os.environ["PATH"] + ":/usr/sbin:/sbin"
MISSING = [
    name for name in ("slurmctld", "slurmd", "munged") if not shutil.which(name, path=SYSTEM)
]
MISSING += [] if importlib.util.find_spec(PLUGIN) else [PLUGIN]
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
ONE_NODE = Path(__file__).with_name("one_node.sh")
# Long enough to be interrupted.
EPOCHS = 200
SEEDS = (0, 1)
WEIGHTS = [f"generator_{state}.safetensors" for state in ("last", "best_validation")]
TARGETS = [f"results/tiny/tiny/seed_{seed}/evaluate.json" for seed in SEEDS]


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """The environment of a running Slurm."""
    # Not pytest's folder: the path of a socket has at most 107 characters.
    folder = tempfile.mkdtemp(prefix="slurm")
    subprocess.run([ONE_NODE, "start", folder], check=True)
    try:
        yield {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    finally:
        subprocess.run([ONE_NODE, "stop", folder], check=True)
        shutil.rmtree(folder)


@pytest.fixture
def workspace(slurm: dict[str, str], tmp_path: Path) -> Workspace:
    # Snakemake hands a job its settings within double quotes, where a shell still finds commands.
    made = Workspace(tmp_path / "cluster", suite="configs/suites/tiny.yaml")
    made.environment |= slurm | {"GANBENCH_CHECKPOINT_SECONDS": "0.2"}
    made.write(EPOCHS, ", ".join(map(str, SEEDS)))
    return made


def through_slurm(*targets: str) -> list[str]:
    return [
        *("--workflow-profile", "profiles/slurm", "--slurm-array-jobs", "all"),
        # As without accounting; and sooner than a cluster with other users wants to be asked.
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"),
        *targets,
    ]


def test_a_preempted_array_gives_the_weights_of_a_local_run(
    workspace: Workspace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    process = workspace.start(*through_slurm(*TARGETS))
    request.addfinalizer(process.kill)
    seeds = workspace.folder / "results/tiny/tiny"
    wait_for(lambda: any(seeds.glob("seed_*/checkpoints/*/*.safetensors")), process)
    # The job of more right takes the place of a training, which is queued again.
    command = ["srun", "--partition=urgent", "--exclusive", "sleep", "1"]
    subprocess.run(command, check=True, env=workspace.environment, timeout=PATIENCE_S)
    output, _ = process.communicate(timeout=5 * PATIENCE_S)
    assert process.returncode == 0, output
    assert "Submitted array job" in output
    logs = [
        (workspace.folder / f"results/tiny/logs/train_tiny_{seed}.log").read_text()
        for seed in SEEDS
    ]
    assert any(re.search(r"resuming after update [1-9]", log) for log in logs), logs

    local = Workspace(tmp_path / "local")
    local.write(EPOCHS, ", ".join(map(str, SEEDS)))
    local.run(*[target.replace("evaluate", "train") for target in TARGETS])
    for seed in SEEDS:
        for name in WEIGHTS:
            one, other = (
                w.folder / f"results/tiny/tiny/seed_{seed}/{name}" for w in (workspace, local)
            )
            assert one.read_bytes() == other.read_bytes()


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)
