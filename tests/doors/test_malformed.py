"""Hundreds of malformed files through the command line: one line, an exit code, nothing left."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from .hostile import (
    HOSTILE_JSON,
    HOSTILE_NPY,
    HOSTILE_NPZ,
    HOSTILE_YAML,
    NO_FILES,
    Case,
    Content,
    all_refused,
    put,
    spoilt,
)

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "configs/experiments/digits.yaml"
EXPERIMENT = DIGITS.read_bytes()
SUITE = b"name: tiny\ntitle: tiny\nexperiments: []\n"
THEORY = (ROOT / "configs/experiments/theory_descent.yaml").read_bytes()
REPORT = (ROOT / "results/published/mnist_100_epochs/report/report.json").read_bytes()
BENCH = (ROOT / "results/published/bench/bench.json").read_bytes()
RECORD = next((ROOT / "results/published").rglob("train.json")).read_bytes()
LEAST = 500
OUT = ["--out", "{folder}/out"]
SCORE = ["score", "--dataset", "digits", "--device", "cpu", *OUT, "--samples"]


def case(name: str, verb: list[str], content: Content, codes: tuple[int, ...] = (2,)) -> Case:
    """A file of that name with that content; its path ends the command unless it has {folder}."""
    arguments = verb if verb[-1].startswith("{folder}") else [*verb, f"{{folder}}/{name}"]
    label = f"{name} {str(content)[:50]}"
    return Case(label, arguments, lambda folder: put(folder / name, content), codes)


def cases() -> Iterator[Case]:
    texts = {
        "input.yaml": (["train", "--dry-run", *OUT, "--config"], EXPERIMENT),
        "suite.yaml": (["report", *OUT, "--config"], SUITE),
        "theory.yaml": (["theory", "--device", "cpu", *OUT, "--config"], THEORY),
        "report.json": (["show"], REPORT),
        "paper.json": (["paper", *OUT, "--report"], REPORT),
        "bench.json": (["bench", "table", *OUT], BENCH),
        "train.json": (
            ["sample", "--config", str(DIGITS), "--out", "{folder}/sample.json"],
            RECORD,
        ),
    }
    for name, (verb, sound) in texts.items():
        hostile = HOSTILE_YAML if name.endswith("yaml") else HOSTILE_JSON
        yield from map(partial(case, name, verb), (*hostile, *spoilt(sound), *NO_FILES))
    for name, hostile in (("s.npy", HOSTILE_NPY), ("s.npz", HOSTILE_NPZ), ("s.pt", HOSTILE_NPZ)):
        yield from (case(name, SCORE, content, (3,)) for content in (*hostile, *NO_FILES))


ALL = list(cases())


def test_every_malformed_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganbench.data.overlaps.shared_images", lambda _: 0)
    all_refused(tmp_path, ALL, capsys)
    assert len(ALL) >= LEAST


def test_a_sound_sample_file_is_no_case(tmp_path: Path) -> None:
    """The door does not refuse everything."""
    from ganbench.data import sample_files

    np.save(tmp_path / "s.npy", np.zeros((2, 2)))
    assert sample_files.read(tmp_path / "s.npy").shape == (2, 2)
