"""Does the gate catch what it should? `python -m ganbench.bench.gate_trial OUT [PLANTED UNCHANGED]`

Compares the last commit with itself, and with itself after a busy wait of 15 % is planted into
the training update. The record is written after every comparison, so that it can be stopped.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ganbench.bench.compare import LIMIT, PAIRS, SURE, base_tree, compare
from ganbench.checkout import git_state
from ganbench.provenance import atomic_path, device_name, versions

SLOWDOWN = 0.15
BENCHMARK = "mnist_update"
PLANT = f"""

import time  # noqa: E402

_update = Run.update


def _slowed(self, *arguments):
    start = time.process_time()
    outcome = _update(self, *arguments)
    end = start + {1 + SLOWDOWN} * (time.process_time() - start)
    while time.process_time() < end:
        pass
    return outcome


Run.update = _slowed
"""


def main(out: Path, planted: int, unchanged: int) -> None:
    """Runs the comparisons and writes the record.

    Args:
        out: the record, JSON.
        planted: comparisons with the slowdown.
        unchanged: comparisons without.
    """
    comparisons: list[dict[str, Any]] = []
    with base_tree("HEAD") as base, base_tree("HEAD") as head:
        source = head / "ganbench" / "training" / "loop.py"
        plain = source.read_text(encoding="utf-8")
        # In turn, so that stopping early leaves some of each.
        turns = max(planted, unchanged)
        kinds = [kind for n in range(turns) for kind in _kinds(n, planted, unchanged)]
        for kind in kinds:
            source.write_text(plain + PLANT if kind == "planted" else plain, encoding="utf-8")
            comparison = compare(base, head, [BENCHMARK], PAIRS)[0]
            times = {"base_ms": comparison.base_ms, "head_ms": comparison.head_ms}
            comparisons.append(
                {"kind": kind, **comparison.ratio._asdict(), "slower": comparison.slower} | times
            )
            _write(out, comparisons)
            print(kind, comparison.ratio, "SLOWER" if comparison.slower else "ok", flush=True)


def _kinds(number: int, planted: int, unchanged: int) -> list[str]:
    return ["planted"] * (number < planted) + ["unchanged"] * (number < unchanged)


def _write(out: Path, comparisons: list[dict[str, Any]]) -> None:
    counts = {
        kind: {
            "comparisons": sum(one["kind"] == kind for one in comparisons),
            "called_slower": sum(one["kind"] == kind and one["slower"] for one in comparisons),
        }
        for kind in ("planted", "unchanged")
    }
    rule = {"pairs": PAIRS, "limit": LIMIT, "sure": SURE, "slowdown": SLOWDOWN}
    commit, dirty = git_state()
    machine = {"device": device_name("cpu"), "versions": versions(), "commit": commit}
    record = {"benchmark": BENCHMARK, **rule, **counts, **machine, "dirty": dirty}
    with atomic_path(out) as path:
        path.write_text(
            json.dumps(record | {"comparisons": comparisons}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(map(int, sys.argv[2:4]) if len(sys.argv) > 2 else (5, 10)))
