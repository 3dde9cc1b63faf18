"""`ganbench bench compare --command`: the speed gate for the benchmarks of another project."""

import math
import os
import shlex
import subprocess
from pathlib import Path

from ganbench.bench.compare import ONE_THREAD, Comparison, base_tree, verdict
from ganbench.bench.timing import ratio
from ganbench.errors import GanbenchError
from ganbench.inputs import parse_json, reason, shown

WHERE = "bench compare: --command"
REMEDY = 'print one JSON object, the seconds of each benchmark, as in {"sort": 0.012}'


def main(base: str, pairs: int, command: str, root: Path) -> None:
    """Runs a command in the tree at hand and in a revision of it in turn, and compares.

    Each tree runs its own benchmarks; one that only one of them has is left out and named.

    Args:
        base: a git revision of the repository.
        pairs: runs of each tree.
        command: prints seconds by benchmark, as JSON; no shell reads it.
        root: the repository.

    Raises:
        SlowerError: a benchmark is slower by the gate's rule.
        GanbenchError: the revision is unknown, a run fails, or prints something else.
    """
    runs: dict[str, list[dict[str, float]]] = {"base": [], "head": []}
    with base_tree(base, root) as tree:
        for number in range(pairs):
            # Each goes first as often as the other.
            for side in ("base", "head") if number % 2 else ("head", "base"):
                runs[side].append(_seconds(command, tree if side == "base" else root))
    names = {side: set.intersection(*map(set, ran)) for side, ran in runs.items()}
    for name in sorted(names["head"] ^ names["base"]):
        print(f"{name}: skipped, only one of the trees has it", flush=True)
    common = sorted(names["head"] & names["base"])
    if not common:
        raise GanbenchError(f"{WHERE}: both trees have no benchmark in common; {REMEDY}")
    verdict([_comparison(name, runs) for name in common], base)


def _comparison(name: str, runs: dict[str, list[dict[str, float]]]) -> Comparison:
    base_ms, head_ms = ([1e3 * run[name] for run in runs[side]] for side in ("base", "head"))
    return Comparison(name, base_ms, head_ms, ratio(base_ms, head_ms))


def _seconds(command: str, tree: Path) -> dict[str, float]:
    try:
        done = subprocess.run(
            shlex.split(command),
            cwd=tree,
            env=os.environ | ONE_THREAD,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except (OSError, ValueError) as problem:
        raise GanbenchError(f"{WHERE}: cannot be run ({reason(problem)}); {REMEDY}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GanbenchError(f"{WHERE}: fails in {tree.name} ({shown(last)}); fix that tree")
    printed = parse_json(done.stdout, WHERE, REMEDY)
    if not isinstance(printed, dict) or not all(map(_is_time, printed.values())):
        raise GanbenchError(f"{WHERE}: printed {shown(printed)} in {tree.name}; {REMEDY}")
    return {name: float(value) for name, value in printed.items()}


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
