"""Pretended GPUs: the ids are real, the devices are not."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from ganbench import gpus

JOB = """
import os, sys
from ganbench.gpus import claim_gpu
claim_gpu()
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""
A_WHILE_S = 1.5  # several tries of a job that waits


class Jobs:
    def __init__(self, folder: Path, **environment: str) -> None:
        settings = {"TMPDIR": str(folder), gpus.WANTED: "1"} | environment
        inherited = {key: value for key, value in os.environ.items() if key != gpus.ALLOCATION}
        self.environment = inherited | settings
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", JOB],
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


def device(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def waits(process: subprocess.Popen[str]) -> bool:
    return not select.select([process.stdout], [], [], A_WHILE_S)[0]


@pytest.fixture
def jobs(tmp_path: Path, request: pytest.FixtureRequest):
    started = Jobs(tmp_path, **request.param)
    yield started
    started.end()


@pytest.mark.parametrize("jobs", [{gpus.VISIBLE: "4,7"}], indirect=True)
def test_each_job_has_a_gpu_of_its_own_until_it_ends(jobs: Jobs) -> None:
    first, second = jobs.start(), jobs.start()
    given = {device(first): first, device(second): second}
    assert set(given) == {"4", "7"}
    third = jobs.start()
    assert waits(third)
    given["7"].kill()
    assert device(third) == "7"


@pytest.mark.parametrize("jobs", [{gpus.VISIBLE: "0", gpus.ALLOCATION: "12"}], indirect=True)
def test_a_single_gpu_that_slurm_gave_is_the_jobs_own(jobs: Jobs) -> None:
    """Slurm may call each job's own GPU by the number 0."""
    assert [device(jobs.start()), device(jobs.start())] == ["0", "0"]


@pytest.mark.parametrize("jobs", [{gpus.VISIBLE: "0,1", gpus.WANTED: ""}], indirect=True)
def test_by_hand_nothing_is_hidden(jobs: Jobs) -> None:
    assert device(jobs.start()) == "0,1"
