"""`ganbench bench compare`: fails when this tree is slower than another revision of it.

Both trees run in turn, in processes of their own, on the same benchmarks: those of this tree. A
pair of neighbouring runs gives one ratio, so that a slow spell of the machine hits both sides.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ganbench.bench.timing import Ratio, ratio
from ganbench.errors import GanbenchError
from ganbench.inputs import parse_json

ROOT = Path(__file__).resolve().parents[2]
GATE = Path(__file__).resolve().with_name("gate.py")
# In gate.py, which imports torch; a test compares them.
NAMES = ("mnist_update", "dropout", "parzen")
PAIRS = 7
# Slower means: the median of the pairs' ratios above LIMIT, its bootstrap lower bound above SURE.
LIMIT, SURE = 1.10, 1.05
# The names under which a tree's folders are installed, and the experiments beside them.
LINKS = {"ganbench": "ganbench", "ganbench_kernels": "kernels", "configs": "configs"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


# Seconds by benchmark, or why the tree cannot run it.
Outcomes = dict[str, float | str]


class SlowerError(GanbenchError):
    """This tree is slower than the base."""

    exit_code = 1


class Comparison(NamedTuple):
    """One benchmark on both trees: milliseconds of each run, and head / base."""

    name: str
    base_ms: list[float]
    head_ms: list[float]
    ratio: Ratio

    @property
    def slower(self) -> bool:
        """Whether the gate calls the head slower."""
        return self.ratio.ratio > LIMIT and self.ratio.low > SURE


def main(base: str, pairs: int, select: str) -> None:
    """Compares this tree with a revision, prints a line a benchmark, and fails on a slower one.

    Args:
        base: a git revision of this repository.
        pairs: runs of each tree.
        select: only benchmarks whose name holds this.

    Raises:
        SlowerError: a benchmark is slower by the gate's rule.
        GanbenchError: the revision or the selection is unknown, or a run fails.
    """
    names = [name for name in NAMES if select in name]
    if not names:
        raise GanbenchError(
            f"bench compare: -k: got {select!r}, which no benchmark's name holds; "
            f"choose from {', '.join(NAMES)}"
        )
    with base_tree(base) as folder:
        comparisons = compare(folder, ROOT, names, pairs)
    verdict(comparisons, base)


def verdict(comparisons: Sequence[Comparison], base: str) -> None:
    """Prints a line a benchmark.

    Raises:
        SlowerError: a benchmark is slower by the gate's rule.
    """
    for one in comparisons:
        print(line(one), flush=True)
    slower = [one for one in comparisons if one.slower]
    if slower:
        worst = max(slower, key=lambda one: one.ratio.ratio)
        raise SlowerError(
            f"bench compare: {worst.name}: takes {worst.ratio.ratio:.2f} times as long as at "
            f"{base} [{worst.ratio.low:.2f}, {worst.ratio.high:.2f}], got more than {LIMIT}; "
            "make it as fast again, or say in the commit what the time buys"
        )


def compare(base: Path, head: Path, names: Sequence[str], pairs: int) -> list[Comparison]:
    """Returns each benchmark's times in alternating runs of two trees.

    A benchmark that the base cannot run is left out, with a printed reason.

    Args:
        base: root of a source tree.
        head: root of another.
        names: benchmarks of gate.py.
        pairs: runs of each tree.

    Raises:
        GanbenchError: a run fails, or the head cannot run a benchmark.
    """
    runs: dict[str, list[Outcomes]] = {"base": [], "head": []}
    with tempfile.TemporaryDirectory() as folder:
        trees = {
            "base": _shim(base, Path(folder, "base")),
            "head": _shim(head, Path(folder, "head")),
        }
        for number in range(pairs):
            # Each goes first as often as the other.
            for side in ("base", "head") if number % 2 else ("head", "base"):
                runs[side].append(measure(trees[side], names))
                _check_head(runs["head"])
    return [_comparison(name, runs) for name in names if not _skipped(name, runs["base"][0])]


def _check_head(runs: list[Outcomes]) -> None:
    for name, outcome in runs[-1].items() if runs else ():
        if isinstance(outcome, str):
            raise GanbenchError(f"bench compare: {name}: fails in this tree ({outcome}); fix it")


def _skipped(name: str, base: Outcomes) -> bool:
    outcome = base[name]
    if isinstance(outcome, str):
        print(f"{name}: skipped, the base cannot run it ({outcome})", flush=True)
    return isinstance(outcome, str)


def _comparison(name: str, runs: dict[str, list[Outcomes]]) -> Comparison:
    base_ms, head_ms = ([1e3 * float(run[name]) for run in runs[side]] for side in ("base", "head"))
    return Comparison(name, base_ms, head_ms, ratio(base_ms, head_ms))


def measure(tree: Path, names: Sequence[str]) -> Outcomes:
    """Returns seconds of each benchmark in one run of a tree, or why it cannot run it.

    Args:
        tree: a folder with the two packages.
        names: benchmarks of gate.py.

    Raises:
        GanbenchError: the run fails, or imported another tree.
    """
    done = subprocess.run(
        # -P: the folder of gate.py is no place to import from.
        [sys.executable, "-P", str(GATE), *names],
        env=os.environ | ONE_THREAD | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GanbenchError(f"bench compare: {tree.name}: a run failed ({last}); fix that tree")
    result = parse_json(done.stdout, f"bench compare: {tree.name}", "fix that tree")
    if not Path(result["package"]).is_relative_to(tree):
        raise GanbenchError(
            f"bench compare: {tree.name}: imported {result['package']}; unset PYTHONSAFEPATH and "
            "whatever else puts folders before PYTHONPATH"
        )
    return result["seconds"]


def _shim(tree: Path, folder: Path) -> Path:
    """A folder in which a tree's packages have the names under which they are installed."""
    folder.mkdir()
    for name, source in LINKS.items():
        (folder / name).symlink_to(tree / source)
    return folder


@contextmanager
def base_tree(revision: str, root: Path = ROOT) -> Iterator[Path]:
    """Checks a revision out beside this tree for as long as it is needed.

    Raises:
        GanbenchError: there is no such revision here.
    """
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", root=root)
    if not commit:
        raise GanbenchError(
            f"bench compare: --base: got {revision!r}, which is no commit of {root.name}; give one "
            "that `git log` shows"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tree")
        _git("worktree", "add", "--quiet", "--detach", str(path), commit, root=root)
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path), root=root)


def _git(*arguments: str, root: Path = ROOT) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def line(one: Comparison) -> str:
    """Returns a comparison in words."""
    middle, low, high = one.ratio
    verdict = "SLOWER" if one.slower else "ok"
    return (
        f"{one.name}: {min(one.head_ms):.2f} ms, base {min(one.base_ms):.2f} ms, "
        f"ratio {middle:.3f} [{low:.3f}, {high:.3f}] over {len(one.head_ms)} pairs: {verdict}"
    )
