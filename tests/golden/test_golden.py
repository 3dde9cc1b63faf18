"""Holds `NUMERICS` honest: numbers that drift fail unless their version rises."""

import json
import subprocess
import sys
from typing import get_args

import pytest

from ganbench.config import Objective, Precision
from ganbench.evaluation import parzen
from ganbench.evaluation.measures import MEASURES
from ganbench.numerics import NUMERICS
from ganbench.theory.run import STUDIES
from tests.golden.cases import CASES, Numbers, compute
from tests.golden.write import GOLDEN, drift

CONTENT = json.loads(GOLDEN.read_text())


def computed_apart(name: str) -> Numbers:
    """In a process without the tests' type checks, which torch.compile cannot trace."""
    code = (
        "import contextlib, json, sys\n"
        "from tests.golden.cases import compute\n"
        "with contextlib.redirect_stdout(sys.stderr):\n"
        f"    numbers = compute({name!r})\n"
        "print(json.dumps(numbers))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", CASES)
def test_numbers_have_not_drifted(name: str) -> None:
    golden = CONTENT[name]
    assert golden["version"] == NUMERICS[golden["stage"]], (
        f"{name}: golden.json is of version {golden['version']}; run `make golden`"
    )
    numbers = computed_apart(name) if "bfloat16" in name else compute(name)
    message = drift(name, golden["numbers"], numbers)
    if message:
        pytest.fail(message, pytrace=False)


def test_every_kind_of_number_has_a_case() -> None:
    """A new objective, precision, protocol, measure or study needs one."""
    names = " ".join(CASES)
    for objective in get_args(Objective):
        for update in ("simultaneous k=1", "alternating k=1", "alternating k=2"):
            assert f"train dense {objective} {update}" in CASES
    for precision in set(get_args(Precision)) - {"float32", "tf32"}:  # tf32 needs a GPU
        assert precision in names
    assert {f"evaluate {protocol}" for protocol in parzen.PROTOCOLS} <= CASES.keys()
    assert {f"theory {study}" for study in STUDIES} <= CASES.keys()
    measured = {key.split(" ", 1)[0] for key in CONTENT["sample_metrics"]["numbers"]}
    assert measured == MEASURES.keys()
    assert CASES.keys() == CONTENT.keys()


def test_a_drift_is_one_line_that_says_what_to_do() -> None:
    name = "train convolutional"
    golden = CONTENT[name]["numbers"]
    key = "sample: norm"
    line = drift(name, golden, golden | {key: golden[key] * (1 + 1e-6)})
    assert line.startswith(f"{name}: 1 of {len(golden)} numbers moved, most 'sample: norm' from ")
    assert "NUMERICS['train'] must rise with a line in CHANGELOG.md" in line
    assert "\n" not in line
    assert drift(name, golden, golden | {key: golden[key] * (1 + 1e-10)}) == ""
    assert "1 numbers appeared or went, first 'sample: norm'" in drift(
        name, golden, {name: value for name, value in golden.items() if name != key}
    )
    assert "moved" in drift(name, golden, golden | {key: float("nan")})
