"""`make golden`: computes the golden numbers anew and writes golden.json."""

import json
from pathlib import Path

from ganbench.numerics import NUMERICS
from tests.golden.cases import CASES, Numbers, compute

GOLDEN = Path(__file__).with_name("golden.json")


def main() -> None:
    """Writes every case's numbers, and the version of its stage."""
    content = {
        name: {"stage": case.stage, "version": NUMERICS[case.stage], "numbers": compute(name)}
        for name, case in CASES.items()
    }
    GOLDEN.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def drift(name: str, golden: Numbers, now: Numbers) -> str:
    """Returns one line that says what moved most and what to do; empty where nothing did."""
    stage, tolerance = CASES[name].stage, CASES[name].tolerance
    if golden.keys() != now.keys():
        differ = sorted(golden.keys() ^ now.keys())
        return f"{name}: {len(differ)} numbers appeared or went, first {differ[0]!r}; {REMEDY}"
    moved = {
        key: abs(now[key] - old) / max(1.0, abs(old))
        for key, old in golden.items()
        if not abs(now[key] - old) <= tolerance * max(1.0, abs(old))
    }
    if not moved:
        return ""
    worst = max(moved, key=lambda key: moved[key])
    return (
        f"{name}: {len(moved)} of {len(golden)} numbers moved, most {worst!r} from "
        f"{golden[worst]:.12g} to {now[worst]:.12g} (tolerance {tolerance:g}): either the change "
        f"is wrong, or NUMERICS[{stage!r}] must rise with a line in CHANGELOG.md that says what it "
        "does to results; then `make golden`"
    )


REMEDY = "run `make golden` if that was meant"

if __name__ == "__main__":
    main()
