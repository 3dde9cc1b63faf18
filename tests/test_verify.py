"""Tampered copies of a published suite: each kind is named by file; published folders are sound."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ganbench.__main__ import main
from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256
from ganbench.report.collect import collect
from ganbench.verify import verify

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "results" / "published"
NAME = "mnist_25_epochs"
SUITE = ROOT / "configs" / "suites" / f"{NAME}.yaml"
Tamper = Callable[[Path], None]
ORDER = ("train", "sample", "evaluate")


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def relink(seed: Path) -> None:
    """Lets each later record name the one before as it is now, as a careful forger would."""
    for before, after in (("train", "sample"), ("sample", "evaluate")):
        digest = file_sha256(seed / f"{before}.json")
        edit(seed / f"{after}.json", lambda one: one["inputs"].update({f"{before}.json": digest}))  # noqa: B023


def top(stage: str, /, **changes: Any) -> Tamper:
    """Changes keys of a record of seed 0 and relinks; dotted by __."""

    def tamper(results: Path) -> None:
        def change(content: dict[str, Any]) -> None:
            for name, value in changes.items():
                *parents, last = name.split("__")
                place = content
                for parent in parents:
                    place = place[parent]
                place[last] = value

        edit(results / NAME / "seed_0" / f"{stage}.json", change)
        relink(results / NAME / "seed_0")

    return tamper


def metric(stage: str, name: str, **changes: Any) -> Tamper:
    def tamper(results: Path) -> None:
        def change(content: dict[str, Any]) -> None:
            next(one for one in content["metrics"] if one["name"] == name).update(changes)

        edit(results / NAME / "seed_0" / f"{stage}.json", change)
        relink(results / NAME / "seed_0")

    return tamper


def names_other(stage: str, name: str) -> Tamper:
    def tamper(results: Path) -> None:
        path = results / NAME / "seed_0" / f"{stage}.json"
        edit(path, lambda one: one["inputs"].update({name: "0" * 64}))
        relink(results / NAME / "seed_0")

    return tamper


def forget_input(results: Path) -> None:
    edit(results / NAME / "seed_0" / "evaluate.json", lambda one: one["inputs"].clear())


def other_train(results: Path) -> None:
    edit(results / NAME / "seed_0" / "train.json", lambda one: one.update(message="x"))


def copied_seed(results: Path) -> None:
    source, target = results / NAME / "seed_0", results / NAME / "seed_1"
    shutil.rmtree(target)
    shutil.copytree(source, target)
    for stage in ORDER:
        edit(target / f"{stage}.json", lambda one: one.update(seed=1))
    relink(target)


def rewrite(results: Path, name: str) -> None:
    """Lets train.json and what follows name a file as it is now."""
    seed = results / NAME / "seed_0"
    digest = file_sha256(seed / name)
    for stage in ORDER:
        edit(
            seed / f"{stage}.json",
            lambda one: [
                one[key].update({name: digest}) for key in ("inputs", "files") if name in one[key]
            ],
        )
    relink(seed)


def history(change: Callable[[list[str]], list[str]]) -> Tamper:
    def tamper(results: Path) -> None:
        path = results / NAME / "seed_0" / "history.csv"
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
        rewrite(results, "history.csv")

    return tamper


def nan_weights(results: Path) -> None:
    path = results / NAME / "seed_0" / "generator_last.safetensors"
    tensors = load_file(path)
    first = min(tensors)
    tensors[first] = np.full_like(tensors[first], np.nan)
    save_file(tensors, path)
    rewrite(results, path.name)


def flipped_weights(results: Path) -> None:
    path = results / NAME / "seed_0" / "generator_last.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def remove(name: str) -> Tamper:
    return lambda results: (results / NAME / name).unlink()


def replaced(name: str, content: bytes) -> Tamper:
    return lambda results: (results / name).write_bytes(content) and None


# What is done, the file that is named, words of the line, and whether the report refuses it too.
CASES: dict[str, tuple[Tamper, str, str, bool]] = {
    "other seed": (top("evaluate", seed=7), "evaluate.json", "is of seed 7", True),
    "other suite": (top("evaluate", suite="else"), "evaluate.json", "its suite is 'else'", True),
    "other experiment": (
        top("sample", experiment="else"), "sample.json", "its experiment is 'else'", True,
    ),
    "other data": (
        top("train", datasets__train="0" * 64), "train.json", "its data set is", True,
    ),
    "other data in evaluate": (
        top("evaluate", datasets__test="0" * 64), "evaluate.json", "its data set is", True,
    ),
    "other stage": (top("sample", stage="evaluate"), "sample.json", "evaluate record", True),
    "other settings": (
        top("evaluate", config__evaluation__draws=3), "evaluate.json", "its settings have", True,
    ),
    "other samples": (
        names_other("evaluate", "samples_last.npy"), "evaluate.json", "another samples_last", True,
    ),
    "samples from other weights": (
        names_other("sample", "generator_last.safetensors"), "sample.json", "another gener", True,
    ),
    "another train.json": (other_train, "sample.json", "from another train.json", True),
    "no input named": (forget_input, "evaluate.json", "does not name the sample.json", True),
    "other outcome": (top("sample", status="diverged"), "sample.json", "its status is", True),
    "seed 1 a copy": (copied_seed, "seed_1/train.json", "has the same generator_last", True),
    "negative updates": (
        metric("train", "updates", value=-1), "train.json", "updates is -1", True,
    ),
    "negative seconds": (
        metric("train", "seconds_per_update", value=-1), "train.json", "is -1", True,
    ),
    "negative error": (
        metric("evaluate", "log_likelihood", standard_error=-1), "evaluate.json", "_error", True,
    ),
    "negative time": (
        top("train", provenance__wall_time_s=-1), "train.json", "wall_time_s", True,
    ),
    "each epoch twice": (
        history(lambda lines: [lines[0], *(one for row in lines[1:] for one in (row, row))]),
        "history.csv", "each epoch once", False,
    ),
    "an epoch too few": (history(lambda lines: lines[:-1]), "history.csv", "24 epochs", False),
    "negative phase": (
        history(lambda lines: [one.replace("1,1,", "1,-1,", 1) for one in lines]),
        "history.csv", "phase: should never be negative", False,
    ),
    "weights that are NaN": (nan_weights, "generator_last.safetensors", "holds NaN", False),
    "a flipped bit": (flipped_weights, "generator_last.safetensors", "is not the file", False),
    "no history": (remove("seed_0/history.csv"), "history.csv", "is missing", False),
    "no train.json": (remove("seed_0/train.json"), "train.json", "is missing", True),
    "an empty record": (replaced(f"{NAME}/seed_0/train.json", b""), "train.json", "JSON", True),
    "a report of nothing": (replaced("report/report.json", b"{}"), "report.json", "not a", False),
}  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PUBLISHED / NAME, tmp_path / NAME))


@pytest.mark.parametrize("kind", CASES)
def test_what_was_tampered_with_is_named(copy: Path, kind: str) -> None:
    tamper, file, words, reported = CASES[kind]
    tamper(copy)
    lines = verify(copy).findings
    named = [one for one in lines if f"{file}: " in one and words in one]
    assert named, lines
    assert not any("\n" in one for one in lines)
    if reported:
        with pytest.raises(GanbenchError):
            collect(SUITE, copy)


def test_an_untouched_copy_is_sound_and_is_reported(copy: Path) -> None:
    verified = verify(copy)
    assert verified.findings == []
    assert (verified.records, len(verified.absent)) == (11, 15)
    collect(SUITE, copy)


@pytest.mark.parametrize("folder", sorted(one.name for one in PUBLISHED.iterdir()))
def test_published_folders_are_sound(folder: str) -> None:
    if not list((PUBLISHED / folder).rglob("*.json")):
        pytest.skip("holds no JSON")
    try:
        assert verify(PUBLISHED / folder).findings == []
    except GanbenchError as problem:
        # Benchmarks are no records, and were read all the same.
        assert "holds no record" in str(problem)  # noqa: PT017


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    before, sys.argv = sys.argv, ["ganbench", *arguments]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def test_the_verb_prints_a_line_a_finding(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "verify", str(copy))
    assert (code, err) == (0, "")
    assert out == "11 records and 6 files checked, 15 files not here, 0 findings\n"
    CASES["other seed"][0](copy)
    code, out, err = run(capsys, "verify", str(copy))
    assert (code, out.count("\n")) == (3, 3)
    assert err == f"{copy}: 2 findings, named above\n"
    code, out, err = run(capsys, "verify", str(copy / "nowhere"))
    assert (code, out) == (2, "")
    assert "is no folder; give a folder such as results/SUITE" in err


def test_a_record_that_points_elsewhere_reads_nothing_there(copy: Path) -> None:
    path = copy / NAME / "baselines.json"
    edit(path, lambda one: one["files"].update({"../../secret.txt": "0" * 64}))
    (line,) = verify(copy).findings
    assert "files: '../../secret.txt' is no name of a file beside it" in line
