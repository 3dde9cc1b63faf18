"""The action that other projects copy: its shell step, run on a repository of two commits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / ".github/actions/speed-gate/action.yml").read_text())
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
BENCH = 'print(\'{{"sort": {seconds}, "{extra}": 1}}\')\n'


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "bench.py").write_text(BENCH.format(seconds=0.01, extra="old"))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def gate(repository: Path, tmp_path: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs the step that compares, as a runner would: its script in bash, its inputs by name."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "ganbench"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ganbench "$@"\n')
    program.chmod(0o755)
    _, step = ACTION["runs"]["steps"]
    inputs = {"BASE": "HEAD", "COMMAND": command, "PAIRS": "3"}
    assert step["env"].keys() == inputs.keys()
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    # This tree must not depend on the working directory.
    search = os.pathsep.join(str(ROOT / one) for one in ("", "typings"))
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=repository,
        env=os.environ | inputs | {"PATH": path, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("seconds", "code"), [(0.01, 0), (0.02, 1)])
def test_the_action_fails_only_where_it_got_slower(
    repository: Path, tmp_path: Path, seconds: float, code: int
) -> None:
    (repository / "bench.py").write_text(BENCH.format(seconds=seconds, extra="new"))
    actual = gate(repository, tmp_path, f"{sys.executable} -S bench.py")
    assert actual.returncode == code, actual.stderr
    assert "new: skipped, only one of the trees has it" in actual.stdout
    if code:
        assert "sort: takes 2.00 times as long as at HEAD" in actual.stderr


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('[1]')", "printed [1]"),
        ("print('{\"a\": -1}')", "printed {'a': -1}"),
        ("raise SystemExit('broken')", "('broken')"),
    ],
)
def test_a_command_that_measures_nothing_is_told_in_a_line(
    repository: Path, tmp_path: Path, program: str, message: str
) -> None:
    (repository / "bench.py").write_text(program)
    actual = gate(repository, tmp_path, f"{sys.executable} -S bench.py")
    assert actual.returncode == 2
    assert len(actual.stderr.splitlines()) == 1
    assert message in actual.stderr.replace('"', "")


def test_the_workflow_runs_the_checks_and_the_gate() -> None:
    # PyYAML reads the key `on` as true.
    assert "pull_request" in WORKFLOW[True]
    steps = WORKFLOW["jobs"]["test"]["steps"]
    lines = " ".join(step.get("run", "") for step in steps)
    assert "make check test demo" in lines
    assert 'ganbench bench compare --base "$BASE"' in lines
    assert steps[0]["with"]["fetch-depth"] == 0
