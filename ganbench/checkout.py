"""The commit of the source tree, as git says it, or why it does not."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from ganbench.inputs import reason

OTHERS = "the git repository of another project"


@cache
def git_state() -> tuple[str, bool]:
    """Returns the commit of the source tree, and whether it was changed.

    Outside a checkout of ours the commit is what the environment variable GANBENCH_COMMIT says,
    else "". Only changes to tracked files outside results/ count: results are what runs write.
    """
    root, problem = _root(), git_problem()
    commit = os.environ.get("GANBENCH_COMMIT", "")
    if problem:
        # An installed package has no commit, nor has a copy in somebody else's repository.
        if _is_checkout(root) and problem != OTHERS and not commit:
            print(
                f"{root}: its commit is not recorded ({problem}); make git read it, "
                "or set GANBENCH_COMMIT",
                file=sys.stderr,
            )
        return commit, False
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return _git(root, "rev-parse", "HEAD")[0], bool(changed[0])


@cache
def git_problem() -> str:
    """Returns why git does not give the commit, such as dubious ownership; "" if it does."""
    root = _root()
    if not _is_checkout(root):
        return "no git checkout"
    return _git(root, "rev-parse", "HEAD")[1] or ("" if _is_ours(root) else OTHERS)


def _root() -> Path:
    return Path(__file__).resolve().parent.parent


def _is_checkout(root: Path) -> bool:
    return (root / ".git").exists()


def _is_ours(root: Path) -> bool:
    """Whether the commit is ours: not that of a repository into which the package was copied."""
    project = root / "pyproject.toml"
    ours = r'^name *= *"ganbench"'
    return (
        project.is_file()
        and re.search(ours, project.read_text(encoding="utf-8"), re.MULTILINE) is not None
        and bool(_git(root, "ls-files", "--", "ganbench/checkout.py")[0])
    )


def _git(root: Path, *arguments: str) -> tuple[str, str]:
    """Returns what git says, and why it fails."""
    # Inside a hook these name the repository that the hook belongs to.
    others = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    environment = {name: value for name, value in os.environ.items() if name not in others}
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError:
        return "", "git is not installed"
    if result.returncode:
        said = reason(ValueError(next(iter(result.stderr.splitlines()), "git fails")))
        # Where a tree lies is nothing for a record that others read.
        return "", re.sub(r" (at|in) '.*'", "", said)
    return result.stdout.strip(), ""
