"""The commit of the source tree, and why there is none."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganbench import checkout as module
from ganbench.checkout import git_problem, git_state
from ganbench.records import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A git checkout in whose package folder the module believes to lie."""
    root = tmp_path / "checkout"
    for name in ("ganbench/checkout.py", "ganbench/code.py", "results/table.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old")
    (root / "pyproject.toml").write_text('[project]\nname = "ganbench"\n')
    monkeypatch.setattr(module, "__file__", str(root / "ganbench" / "checkout.py"))
    forget()
    yield root
    forget()


def forget() -> None:
    git_state.cache_clear()
    git_problem.cache_clear()


def test_a_commit_and_whether_its_source_was_changed(checkout: Path) -> None:
    commit = commit_all(checkout)
    (checkout / "results" / "table.csv").write_text("new")
    (checkout / "ganbench" / "untracked.py").write_text("new")
    assert git_state() == (commit, False)
    git_state.cache_clear()
    (checkout / "ganbench" / "code.py").write_text("new")
    assert git_state() == (commit, True)


def test_a_record_says_why_it_has_no_commit(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def recorded() -> tuple[str, str]:
        forget()
        made = provenance("fetch", 0.0)
        return made.git_commit, made.git_problem

    assert recorded() == ("", "no git checkout")
    assert capsys.readouterr().err == ""
    commit = commit_all(checkout)
    assert recorded() == (commit, "")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")
        assert recorded() == ("", "git is not installed")
        assert "its commit is not recorded (git is not installed); " in capsys.readouterr().err
        patch.setenv("GANBENCH_COMMIT", commit)
        assert recorded() == (commit, "git is not installed")
    (checkout / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    assert recorded() == ("", "the git repository of another project")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    # Where the tree lies is nothing for others.
    assert recorded() == ("", "fatal: detected dubious ownership in repository")


def commit_all(root: Path) -> str:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return git(root, "rev-parse", "HEAD")


def test_a_copy_in_somebody_elses_repository_has_no_commit(checkout: Path) -> None:
    commit_all(checkout.parent)
    assert git_state() == ("", False)


def test_a_package_beside_somebody_elses_project_has_no_commit(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    commit_all(checkout)
    assert git_state() == ("", False)


def test_a_hooks_repository_is_not_ours(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = commit_all(checkout)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert git_state() == (commit, False)


def test_dubious_ownership_is_said(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_all(checkout)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert git_state() == ("", False)
    assert "detected dubious ownership" in git_problem()
    error = capsys.readouterr().err
    assert error.startswith(f"{checkout}: its commit is not recorded (fatal: detected dubious")
    assert error.endswith("; make git read it, or set GANBENCH_COMMIT\n")
    assert error.count("\n") == 1
