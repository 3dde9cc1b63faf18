"""Malformed arguments and environments: one line, exit code 2, and nothing written."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.test_out import FOLDERS, VERBS, option

from .hostile import Case, all_refused, put, run

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / "configs/experiments/digits.yaml")
LONG = "a" * 5_000
CONFIG = ["--config", DIGITS, "--out", "{folder}/out.json"]
TRAIN = ["train", "--dry-run", *CONFIG]


def out_cases() -> Iterator[Case]:
    """A place that cannot be written, or that holds what is no result of ours."""
    bad: list[tuple[str, Callable[[Path], object]]] = [
        ("", lambda _: None), (".", lambda _: None), ("{folder}", lambda _: None),
        ("{folder}/" + LONG, lambda _: None), (LONG, lambda _: None),
        ("a\udcff" * 200, lambda _: None), ("\x1b[31m" + LONG, lambda _: None),
        ("{folder}/file/x.json", lambda one: put(one / "file", b"kept")),
        ("{folder}/fifo", lambda one: os.mkfifo(one / "fifo")),
        ("{folder}/loop/x", lambda one: (one / "loop").symlink_to(one / "loop")),
        ("/dev/null", lambda _: None), ("/proc/x/y.json", lambda _: None),
        ("{folder}/mine.npy", lambda one: put(one / "mine.npy", b"\x93NUMPY")),
        ("{folder}/mine.json", lambda one: put(one / "mine.json", b'{"a": 1}')),
        ("{folder}/link", lambda one: put(one / "m", b"a") or (one / "link").symlink_to(one / "m")),
    ]  # fmt: skip
    for verb, arguments in VERBS.items():
        for out, prepare in bad:
            if verb in FOLDERS and out in ("", ".", "{folder}"):
                continue
            given = [*verb.split(), *arguments, option(verb), out]
            yield Case(f"{verb} {option(verb)} {out[:40]!r}", given, prepare)


def argument_cases() -> Iterator[Case]:
    for seeds in (
        "", " ", "a", "-1", "1.5", "1,", ",1", "1,,2", "1 2", "0,0", "01", "1_0", "٣", "\uff11",
        "1e3", "0x1", "9" * 5_000, "1;2", "\x1b[31m", LONG,
    ):  # fmt: skip
        yield Case(f"--seeds {seeds[:9]!r}", [*TRAIN, "--seeds", seeds])
    for seconds in ("nan", "-5", "inf", "-inf", "", "a", "1_0 s", LONG):
        arguments = [*TRAIN, "--checkpoint-seconds", seconds]
        yield Case(f"--checkpoint-seconds {seconds[:9]}", arguments)
    for suite in ("", ".", "..", "../x", "a/b", "A", "a b", "é", "\x1b[31m", LONG, "a\udcff"):
        yield Case(f"--suite {suite[:9]!r}", [*TRAIN, "--suite", suite])
    for name in ("", "gpu", "CPU", "cpu; touch x", "\x1b[31m", LONG, "a\udcff"):
        yield Case(f"--device {name[:9]!r}", [*TRAIN, "--device", name])
        yield Case(f"--impl {name[:9]!r}", [*TRAIN, "--impl", name])
        yield Case(f"verb {name[:9]!r}", [name or "x", "--config", DIGITS])
        yield Case(f"fetch {name[:9]!r}", ["fetch", name])
        yield Case(f"option {name[:9]!r}", [*TRAIN, f"--{name}x", "1"])
        for given in (["--dataset", name], ["--dataset", "digits", "--protocol", name]):
            score = ["score", "s.npy", *given, "--device", "cpu"]
            yield Case(f"score {given[-2]} {name[:9]!r}", score)
    several = ["train", "--config", DIGITS, "--seeds", "0,1", "--out", "{folder}/x.json"]
    for arguments in (
        ["train"], ["train", "--config"], ["fetch"], ["score"], ["verify"],
        ["fetch", "mnist", *CONFIG], ["score", "a.npy", "--samples", "b.npy"], several,
        ["status", "{folder}/nowhere"], ["show", ""], ["verify", "{folder}/nowhere"],
        ["doctor", "--suite", "nowhere.yaml"],
        ["bench", "compare"], ["bench", "compare", "--base", "x", "--pairs", "1"],
        ["bench", "compare", "--base", "no such revision"], ["bench", "nothing"],
        ["bench", "estimators", "--out", "{folder}/o", "--dataset", "nothing"],
        ["bench", "estimators", "--out", "{folder}/o", "--dataset", "digits", "--points", "0"],
        ["bench", "estimators", "--out", "{folder}/o", "--dataset", "digits", "--points", "-1"],
    ):  # fmt: skip
        yield Case(" ".join(arguments)[:60], arguments)


def environment_cases() -> Iterator[Case]:
    variables = {
        "GANBENCH_DEVICE": ("gpu", "cpu; touch x", "\x1b[31m", LONG, "a\udcff"),
        "GANBENCH_SUITE": ("../x", "a b", "\x1b[31m", LONG, "é", "a\udcff"),
        "GANBENCH_CHECKPOINT_SECONDS": ("nan", "-1", "inf", "a", LONG),
    }
    for name, values in variables.items():
        for value in values:
            yield Case(f"{name}={value[:20]!r}", TRAIN, environment={name: value})
    mnist = ["baselines", "--config", str(ROOT / "configs/experiments/mnist.yaml")]
    mnist += ["--device", "cpu", "--out", "{folder}/out.json"]
    for value in (
        "~nobody/x",
        "nowhere",
        LONG,
        "/dev/null",
        "/proc",
        "\x1b[31m",
        "a\udcff",
        DIGITS,
    ):
        environment = {"GANBENCH_DATA": value}
        yield Case(f"GANBENCH_DATA={value[:9]!r}", mnist, codes=(3,), environment=environment)
        given = [*mnist, "--data-dir", value]
        yield Case(f"--data-dir {value[:9]!r}", given, codes=(3,))
    for home in ("", "/nowhere", "/dev/null", "a\udcff", None):
        environment = {"HOME": home, "GANBENCH_DATA": None, "XDG_CACHE_HOME": None}
        yield Case(f"HOME={home!r}", mnist, codes=(3,), environment=environment)


ALL = [*out_cases(), *argument_cases(), *environment_cases()]


def test_every_malformed_argument_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The first case is not to pay for the import of torch.
    import ganbench.api  # noqa: F401

    all_refused(tmp_path, ALL, capsys)


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "nonsense"},
        {"GANBENCH_COMMIT": "\x1b[31m"},
        {"HOME": "/nowhere"},
        {"TERM": ""},
    ],
    ids=str,
)
def test_what_does_not_matter_is_no_case(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(["train", "--dry-run", "--config", DIGITS, "--out", "nowhere/out.json"]) == 0
    assert capsys.readouterr().err == ""


def test_a_result_of_ours_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record, and what an engine left empty, are; samples of a user's never."""
    out = tmp_path / "score.json"
    samples = tmp_path / "s.npy"
    np.save(samples, np.zeros((2, 64)))
    # What is refused then is the samples.
    for content in (b"", b'{\n  "schema_version": 1'):
        put(out, content)
        run(["score", str(samples), "--dataset", "digits", "--device", "cpu", "--out", str(out)])
        assert "samples, the protocol takes" in capsys.readouterr().err
