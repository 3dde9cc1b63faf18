"""Malformed results: records, histories and arrays that are damaged, or say what cannot be."""

import copy
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .hostile import HOSTILE_NPZ, NO_FILES, Case, Content, all_refused, put

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
NAME, THEORY = "mnist_100_epochs", "theory_descent"
REPORT = ["report", "--config", "{folder}/suite.yaml", "--out", "{folder}/r/report/report.json"]
SEED = f"{NAME}/seed_0"
RECORDS = (
    "data/mnist.json", f"{NAME}/baselines.json", f"{NAME}/sample_metrics.json",
    f"{SEED}/train.json", f"{SEED}/sample.json", f"{SEED}/evaluate.json", f"{THEORY}/theory.json",
)  # fmt: skip
DAMAGED = [
    b"", b"[]", b"1", b"null", b"{", b"{}", b'{"a": NaN}', b"[" * 10_000, b'{"a": 1, "a": 2}',
    b"\xff\xfe{\x00}\x00", b"\x00" * 99, b'{"stage": "train"}',
]  # fmt: skip
WRONG_VALUES = (None, "x", -1, [], {}, True, 10**30, "\x1b[31m", "x" * 5_000)
# What anybody's record may not say of itself, by dotted name; the chain is checked beside it.
KEYS = (
    "stage", "status", "seed", "suite", "experiment", "config", "config_digest", "inputs", "files",
    "datasets", "metrics", "provenance", "schema_version", "provenance.numerics",
    "provenance.wall_time_s", "provenance.versions", "config.training", "config.evaluation",
    "metrics.0", "metrics.0.name", "metrics.0.labels", "metrics.0.unit",
)  # fmt: skip


def write(folder: Path, name: str, content: Content) -> None:
    """A published suite of one seed, and a theory experiment, with one file of its own."""
    configs = ROOT / "configs" / "experiments"
    entries = {
        "experiments": [{"config": str(configs / f"{NAME}.yaml"), "seeds": [0]}],
        "theory": [{"config": str(configs / f"{THEORY}.yaml"), "seeds": SEEDS}],
    }
    suite = {"name": NAME, "title": "T", **entries}
    (folder / "suite.yaml").write_text(json.dumps(suite))
    sources = {one: PUBLISHED / NAME / one for one in (*RECORDS[:-1], f"{SEED}/history.csv")}
    for one in ("theory.json", "theory.npz"):
        sources[f"{THEORY}/{one}"] = PUBLISHED / "theory" / THEORY / one
    for one, source in sources.items():
        target = folder / "r" / one
        target.parent.mkdir(parents=True, exist_ok=True)
        if one != name:
            os.link(source, target)
    put(folder / "r" / name, content)


SEEDS = json.loads((PUBLISHED / "theory" / THEORY / "theory.json").read_text())["config"]["seeds"]


@cache
def record(name: str) -> dict[str, Any]:
    folder = PUBLISHED / ("theory" if name.startswith(THEORY) else NAME)
    return json.loads((folder / name).read_text())


def changed(name: str, key: str, value: object) -> bytes | None:
    """A record with another value at a dotted name; None if it has no such key."""
    content = copy.deepcopy(record(name))
    place: Any = content
    *parents, last = (int(part) if part.isdigit() else part for part in key.split("."))
    try:
        for part in parents:
            place = place[part]
        if place[last] == value:
            return None
    except (KeyError, IndexError, TypeError):
        return None
    place[last] = value
    return json.dumps(content).encode()


def cases() -> Iterator[tuple[str, Content, str] | tuple[str, Content]]:
    for place, name in enumerate(RECORDS):
        whole = json.dumps(record(name)).encode()
        # One door reads them all, so that each gets a share of what could be wrong.
        damaged = [*DAMAGED, *NO_FILES[:-1], whole[: len(whole) // 2]]
        yield from ((name, content) for content in damaged[place % 3 :: 3])
        for number, key in enumerate(KEYS):
            value = WRONG_VALUES[(number + place) % len(WRONG_VALUES)]
            if number % 2 == place % 2 and (content := changed(name, key, value)):
                yield name, content, f"{key} {value!r:.20}"
    for value in WRONG_VALUES:
        if content := changed(f"{SEED}/train.json", "provenance.wall_time_s", value):
            yield f"{SEED}/train.json", content
    history = (PUBLISHED / NAME / SEED / "history.csv").read_bytes()
    lines = history.splitlines(keepends=True)
    for content in (
        b"", b"x", lines[0], history[:-20], b"\xff" + history, history.replace(b",", b";"),
        lines[0] + b"".join(lines[2:]), history + lines[-1], history.replace(b"1,", b"x,", 1),
        b"".join(lines[:9]) + b"\x00", NO_FILES[0],
    ):  # fmt: skip
        yield f"{SEED}/history.csv", content
    for content in (*HOSTILE_NPZ[:8], *NO_FILES):
        yield f"{THEORY}/theory.npz", content


def as_case(name: str, content: Content, what: str = "") -> Case:
    def prepare(folder: Path) -> None:
        write(folder, name, content)

    text = content[-40:] if isinstance(content, bytes) else content
    return Case(f"{name} {what or str(text)[:50]}", REPORT, prepare, (2, 3))


ALL = [as_case(*one) for one in cases()]


def test_every_malformed_result_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    all_refused(tmp_path, ALL, capsys)
