"""Jobs that share no disk: a storage provider hands the declared files on, and nothing else."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from workspace import Workspace

PLUGINS = ("snakemake_storage_plugin_fs", "snakemake_executor_plugin_cluster_generic")
MISSING = [name for name in PLUGINS if importlib.util.find_spec(name) is None]
MISSING += [] if shutil.which("rsync") else ["rsync"]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
# A node, for the time of one job: its folder is where the job's copies of files lie.
NODE = """#!/bin/sh
export NODE_DISK="$(mktemp -d '{nodes}/XXXXXX')"
sh "$1" > "$NODE_DISK.log" 2>&1 &
"""
# Records differ in their times, the paper in its records' digests; estimators are timed.
COMPARED = ("*/seed_*/*.safetensors", "*/seed_*/*.npy", "*/seed_*/*.npz", "*/seed_*/history.csv")
COMPARED += ("report/table1.*", "report/scores*", "report/figure2*", "report/claims.*")


def test_jobs_without_a_shared_disk_give_the_same_results(
    finished: Workspace, tmp_path: Path
) -> None:
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    node = tmp_path / "node.sh"
    node.write_text(NODE.format(nodes=nodes))
    node.chmod(0o755)
    # Snakemake hands a job its settings within double quotes, where a shell still finds commands.
    workspace = Workspace(tmp_path / "project", suite="configs/suites/a suite.yaml")
    arguments = ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", str(node)]
    arguments += ["--jobs", "2", "--seconds-between-status-checks", "1"]
    arguments += ["--default-storage-provider", "fs", "--local-storage-prefix", str(nodes / "head")]
    arguments += ["--remote-job-local-storage-prefix", "$NODE_DISK"]
    arguments += ["--shared-fs-usage", "persistence", "software-deployment", "sources"]
    workspace.run(*arguments)
    # A training, its samples and their scores have each been alone on a disk.
    assert len(list(nodes.glob("*/fs/results/tiny/tiny/seed_0"))) >= 3
    assert_same_results(finished, workspace)
    assert re.search("Nothing to be done", workspace.run("-n", *arguments))


def assert_same_results(expected: Workspace, other: Workspace) -> None:
    """Weights, samples, curves and tables are the same, byte for byte."""
    results, others = (one.folder / "results/tiny" for one in (expected, other))
    paths = [path.relative_to(results) for glob in COMPARED for path in results.glob(glob)]
    assert len(paths) > 20
    assert [
        path for path in paths if (results / path).read_bytes() != (others / path).read_bytes()
    ] == []
    names = [{path.relative_to(one) for path in one.rglob("*")} for one in (results, others)]
    assert names[0] == names[1]
