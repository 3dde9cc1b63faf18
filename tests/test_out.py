"""Where a verb writes is checked before it works, and never over what it reads; the last net."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from ganbench.__main__ import app, main

ROOT = Path(__file__).parent.parent
CONFIG = str(ROOT / "configs" / "experiments" / "digits.yaml")
SUITE = str(ROOT / "configs" / "suites" / "demo.yaml")
THEORY = str(ROOT / "configs" / "experiments" / "theory_descent.yaml")
# Arguments that are sound but for --out (or --into), of every verb that has one.
VERBS = {
    **{verb: ["--config", CONFIG] for verb in ("fetch", "train", "sample", "evaluate")},
    **{verb: ["--config", CONFIG] for verb in ("baselines", "sample-metrics")},
    "theory": ["--config", THEORY],
    "report": ["--config", SUITE],
    "score": ["--samples", "nowhere.npy"],
    "paper": ["--report", "nowhere.json"],
    "merge": ["nowhere", "--config", SUITE],
    "bench run": [],
    "bench table": ["nowhere.json"],
    "bench estimators": [],
    "bench gpu-updates": [],
}
FOLDERS = {"merge", "bench run", "bench table", "bench estimators", "bench gpu-updates"}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    before, sys.argv = sys.argv, ["ganbench", *arguments]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    return int(stop.value.code or 0), capsys.readouterr().err


def option(verb: str) -> str:
    return "--into" if verb == "merge" else "--out"


def test_every_verb_that_writes_is_listed() -> None:
    group = typer.main.get_command(app)
    commands = dict(group.commands)  # type: ignore[attr-defined]
    commands |= {f"bench {name}": one for name, one in commands.pop("bench").commands.items()}
    writing = {
        name
        for name, one in commands.items()
        if {"out", "into"} & {parameter.name for parameter in one.params}
    }
    assert writing == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_an_out_that_cannot_be_written_is_refused_first(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, folder, fifo = tmp_path / "file", tmp_path / "folder", tmp_path / "fifo"
    file.write_text("kept")
    folder.mkdir()
    os.mkfifo(fifo)
    bad = [file / "below.json", tmp_path / ("a" * 5000), fifo, Path("a\udcff" * 200)]
    for out in [*bad, file if verb in FOLDERS else folder]:
        code, line = refused(capsys, *verb.split(), *VERBS[verb], option(verb), str(out))
        assert (code, line.count("\n")) == (2, 1), line
        assert line.startswith("--out: got "), line
        assert "; name another" in line
    assert file.read_text() == "kept"
    assert sorted(tmp_path.iterdir()) == [fifo, file, folder]


@pytest.mark.parametrize(
    "verb", ["fetch", "train", "theory", "report", "score", "paper", "baselines"]
)
def test_an_input_is_never_written_over(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, link = tmp_path / "input", tmp_path / "link"
    if verb == "score":
        np.save(given.with_suffix(".npy"), np.zeros((2, 64)))
        given = given.with_suffix(".npy")
    else:
        shutil.copy(CONFIG, given)
    before = given.read_bytes()
    link.symlink_to(given)
    name = {"score": "--samples", "paper": "--report"}.get(verb, "--config")
    for out in (given, link):
        code, line = refused(capsys, verb, name, str(given), "--out", str(out))
        assert (code, line) == (2, f"--out: got {out}, which is read; name another file\n")
    assert given.read_bytes() == before


def test_theory_does_not_write_its_record_over_its_arrays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "theory.npz")
    code, line = refused(capsys, "theory", "--config", THEORY, "--out", out)
    assert (code, line) == (2, f"--out: got {out}, which is read; name another file\n")


def test_what_nobody_foresaw_is_a_line_and_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise KeyError("a\x1b[31m\nb")

    monkeypatch.setattr("ganbench.verify.verify", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, line = refused(capsys, "verify", "x\x1b[31m")
    (log,) = tmp_path.iterdir()
    assert code == 70
    assert line.startswith("ganbench: KeyError: ")
    assert line.endswith(f"; a bug: please report it with {log}\n")
    assert line[:-1].isprintable()
    assert "Traceback" in log.read_text()
    assert "in fail" in log.read_text()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    code, line = refused(capsys, "verify", "x")
    assert (code, line.count("\n")) == (70, 1)
    assert "no log could be written" in line
