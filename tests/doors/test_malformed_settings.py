"""Settings that are sound YAML and make no sense, and tensors that are no samples."""

import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from .hostile import Case, all_refused, put, run

CONFIGS = Path(__file__).parents[2] / "configs" / "experiments"
DIGITS, THEORY = CONFIGS / "digits.yaml", CONFIGS / "theory_descent.yaml"
OUT = ["--device", "cpu", "--out", "{folder}/out.json"]
LARGE = (10**9, 10**18, 10**30)
LAYER = "{kind: maxout, units: %s, pieces: %s, irange: 0.1}"
# Lines that follow `extends: digits.yaml`. A batch larger than the data is all of it, and is none.
EXPERIMENTS = [
    *(f"generator: {{noise_dim: {size}}}" for size in (*LARGE, -1, 0, 1.5, "x")),
    *(f"training: {{batch_size: {size}}}" for size in (10**30, -1, 0, "0100", "1_0")),
    *(f"discriminator: {{layers: [{LAYER % (size, 2)}]}}" for size in (*LARGE, 0)),
    *(f"discriminator: {{layers: [{LAYER % (8, size)}]}}" for size in (*LARGE, 0)),
    "evaluation: {checkpoints: [last, last]}", "evaluation: {checkpoints: []}",
    "evaluation: {checkpoints: [nothing]}", "evaluation: {draws: 0}", "evaluation: {draws: -1}",
    "evaluation: {protocol: nothing}", "evaluation: {report_epochs: [1, 1]}",
    "evaluation: {report_epochs: [0]}", "evaluation: {monitor_every: 0}", "dataset: nothing",
    "dataset: ../digits", "training: {phases: []}", "training: {phases: [{epochs: 0}]}",
    "training: {phases: [{epochs: 010}]}", "training: {learning_rate: -1}",
    "training: {learning_rate: .nan}", "training: {learning_rate: .inf}", "training: {momentm: 1}",
    "training: {momentum_final: 1.5}", "generator: {layers: []}", "generator: {layers: nothing}",
    "discriminator: {layers: [{kind: nothing}]}", "training: null", "generator: 3", "title: 3",
    "precision: float8", 'title: "\\e[31m"', 'title: "a\\nb\\u202e"', "unknown: 1",
    "preprocessing: x",
]  # fmt: skip


def suite(**changes: Any) -> str:
    entry = {"config": str(DIGITS), "seeds": [0]}
    theory = {"config": str(THEORY), "seeds": [0]}
    sound = {"name": "tiny", "title": "T", "experiments": [entry], "theory": [theory]}
    return json.dumps(sound | changes)


def entries(*configs: object, seeds: object = (0,)) -> list[dict[str, Any]]:
    return [{"config": str(one), "seeds": seeds} for one in configs]


SUITES = [
    suite(experiments=entries(DIGITS, DIGITS)), suite(theory=entries(THEORY, THEORY)),
    suite(experiments=entries(DIGITS), theory=entries(DIGITS)), suite(theory=entries(DIGITS)),
    suite(experiments=entries(THEORY)), suite(experiments=entries("{folder}/theory_descent.yaml")),
    *(suite(experiments=entries(DIGITS, seeds=one))
      for one in ([0, 0], [], [-1], [1.5], ["0"], [True], 3, None, [10**30], "0,1")),
    suite(experiments=entries(DIGITS)).replace("[0]", "[010]", 1),
    *(suite(name=one) for one in ("", "A", "a b", "../x", "data/x", "a" * 5_000, 3, None, "é")),
    *(suite(experiments=entries(f"{{folder}}/{one}.yaml"))
      for one in ("Tiny", "tiny-short", "tiny.v2", "a b", "data", "report", "logs", "é")),
    suite(title=None), suite(experiments=3), suite(experiments=[3]), suite(experiments=[{}]),
    suite(experiments=entries("nowhere.yaml")), suite(experiments=entries("/dev/zero")),
    suite(experiments=entries("{folder}")), suite(unknown=1), suite(theory=entries(".")),
]  # fmt: skip


def settings_cases() -> Iterator[Case]:
    for lines in EXPERIMENTS:
        text = f"extends: {DIGITS}\n{lines}\n".encode()
        arguments = ["train", "--config", "{folder}/mine.yaml", *OUT]
        yield Case(lines[:60], arguments, lambda one, text=text: put(one / "mine.yaml", text))
    names = ("Tiny", "tiny-short", "tiny.v2", "a b", "data", "report", "logs", "é")
    for text in SUITES:

        def prepare(folder: Path, text: str = text) -> None:
            for name in names:
                put(folder / f"{name}.yaml", f"extends: {DIGITS}\n".encode())
            # Of the name that a theory experiment of the suite has.
            put(folder / "theory_descent.yaml", f"extends: {DIGITS}\n".encode())
            put(folder / "suite.yaml", text.replace("{folder}", str(folder)).encode())

        arguments = ["report", "--config", "{folder}/suite.yaml", "--out", "{folder}/r/r/out.json"]
        yield Case(text[:200], arguments, prepare)


def tensors() -> dict[str, Callable[[], object]]:
    plain = torch.rand(2, 64)
    return {
        "sparse": plain.to_sparse, "csr": plain.to_sparse_csr, "complex": lambda: plain + 1j,
        "quantized": lambda: torch.quantize_per_tensor(plain, 0.1, 0, torch.quint8),
        "meta": lambda: plain.to("meta"), "float8": lambda: plain.to(torch.float8_e4m3fn),
        "bfloat16": lambda: plain.to(torch.bfloat16), "dictionary": lambda: {"a": plain},
        "list": lambda: [plain], "nothing": lambda: None, "number": lambda: 3, "text": lambda: "x",
        "0-d": lambda: torch.tensor(1.0), "1-d": lambda: torch.ones(64), "empty": lambda: plain[:0],
        "NaN": lambda: plain / 0 * 0, "inf": lambda: plain / 0, "shape": lambda: torch.rand(2, 65),
        "expanded": lambda: torch.zeros(1, 1).expand(10**9, 64), "-1..1": lambda: 2 * plain - 1,
        "nested": lambda: torch.nested.nested_tensor([plain, plain]), "bool": lambda: plain > 0.5,
        "strided": lambda: torch.rand(64, 2).T, "int64": lambda: torch.ones(2, 64).long(),
    }  # fmt: skip


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def tensor_cases() -> Iterator[Case]:
    score = ["score", "--dataset", "digits", "--device", "cpu", "{folder}/s.pt"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, make in tensors().items():
            content = saved(make())
            yield Case(kind, score, lambda one, it=content: put(one / "s.pt", it), codes=(3,))


ALL = [*settings_cases(), *tensor_cases()]


def test_every_senseless_setting_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganbench.data.overlaps.shared_images", lambda _: 0)

    # What is not refused is not trained.
    def accepted(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("ganbench.stages.train.train", accepted)
    all_refused(tmp_path, ALL, capsys)


def test_sound_settings_are_no_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "suite.yaml", suite().encode())
    arguments = ["report", "--config", str(tmp_path / "suite.yaml")]
    assert run([*arguments, "--out", str(tmp_path / "r/r/o.json")]) == 2
    # Its records are missing; the suite itself is read.
    assert "run the stage that writes it" in capsys.readouterr().err
