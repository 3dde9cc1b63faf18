"""Jobs that share no disk: a storage provider hands the declared files on, and nothing else."""

import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import PATIENCE_S, Workspace

BUCKET = "bucket"


def skipped_without(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    missing += [] if shutil.which("rsync") else ["rsync"]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


EXECUTOR = "snakemake_executor_plugin_cluster_generic"
# A node, for the time of one job: its folder is where the job's copies of files lie.
NODE = """#!/bin/sh
export NODE_DISK="$(mktemp -d '{nodes}/XXXXXX')"
sh "$1" > "$NODE_DISK.log" 2>&1 &
"""
# Records differ in their times, the paper in its records' digests; estimators are timed.
COMPARED = ("*/seed_*/*.safetensors", "*/seed_*/*.npy", "*/seed_*/*.npz", "*/seed_*/history.csv")
COMPARED += ("report/table1.*", "report/scores*", "report/figure2*", "report/claims.*")


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """Where the disks of nodes are."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    return folder


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3 server with an empty bucket."""
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE_S
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        address = f"http://127.0.0.1:{port}"
        client(boto3, address).create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.kill()
        server.wait()


@skipped_without(EXECUTOR, "snakemake_storage_plugin_fs")
def test_jobs_without_a_shared_disk_give_the_same_results(
    finished: Workspace, nodes: Path, tmp_path: Path
) -> None:
    workspace = run_on_nodes(tmp_path, nodes, "fs")
    assert_same_results(finished.folder / "results", workspace.folder / "results")


@skipped_without(EXECUTOR, "snakemake_storage_plugin_s3", "moto", "flask")
def test_results_can_lie_in_s3(finished: Workspace, nodes: Path, tmp_path: Path, s3: str) -> None:
    import boto3

    workspace = run_on_nodes(tmp_path, nodes, "s3", *served_by(s3))
    assert not list((workspace.folder / "results").rglob("*.safetensors"))
    bucket, kept = client(boto3, s3), tmp_path / "kept"
    for page in bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page["Contents"]:
            path = kept / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket.download_file(BUCKET, entry["Key"], str(path))
    assert_same_results(finished.folder / "results", kept / "results")


@skipped_without(
    "snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3", "moto", "flask"
)
def test_the_kubernetes_profile_plans_a_run(tmp_path: Path, s3: str) -> None:
    workspace = Workspace(tmp_path / "project", suite="configs/suites/a suite.yaml")
    profile = ["--workflow-profile", "profiles/kubernetes", "--container-image", "any/ganbench"]
    plan = workspace.run("-n", *profile, *served_by(s3), settings=["device=cuda"])
    asked = [line for line in plan.splitlines() if "gpu=1" in line]
    assert asked
    assert all("gpu_manufacturer=nvidia" in line for line in asked)


def served_by(address: str) -> list[str]:
    arguments = ["--default-storage-prefix", f"s3://{BUCKET}", "--storage-s3-endpoint-url", address]
    return [*arguments, "--storage-s3-access-key", "any", "--storage-s3-secret-key", "any"]


def client(boto3, address: str):
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    return boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)


def run_on_nodes(tmp_path: Path, nodes: Path, *provider: str) -> Workspace:
    """Runs the suite with a disk of its own for each job, whose files a provider hands on."""
    node = tmp_path / "node.sh"
    node.write_text(NODE.format(nodes=nodes))
    node.chmod(0o755)
    # Snakemake hands a job its settings within double quotes, where a shell still finds commands.
    workspace = Workspace(tmp_path / "project", suite="configs/suites/a suite.yaml")
    arguments = ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", str(node)]
    arguments += ["--jobs", "2", "--seconds-between-status-checks", "1"]
    arguments += ["--local-storage-prefix", str(nodes / "head")]
    arguments += ["--remote-job-local-storage-prefix", "$NODE_DISK"]
    arguments += ["--shared-fs-usage", "persistence", "software-deployment", "sources"]
    arguments += ["--default-storage-provider", *provider]
    workspace.run(*arguments)
    # A training, its samples and their scores have each been alone on a disk.
    assert len(list(nodes.glob("*/**/results/tiny/tiny/seed_0"))) >= 3
    assert re.search("Nothing to be done", workspace.run("-n", *arguments))
    return workspace


def assert_same_results(results: Path, others: Path) -> None:
    """Weights, samples, curves and tables are the same, byte for byte."""
    paths = [
        path.relative_to(results) for glob in COMPARED for path in results.glob(f"tiny/{glob}")
    ]
    assert len(paths) > 20
    assert [
        path for path in paths if (results / path).read_bytes() != (others / path).read_bytes()
    ] == []
    names = [
        {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
        for one in (results, others)
    ]
    assert names[0] == names[1]
