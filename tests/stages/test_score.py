"""`ganbench score`: guards, the record, and that nothing of the workflow is needed."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench import seeding
from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import likelihood, parzen
from ganbench.evaluation.measures import MEASURES
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, read_record
from ganbench.report.sample_metrics import terminal as score_print
from ganbench.report.sample_metrics.terminal import score_text
from ganbench.stages import score
from ganbench.stages.baselines import measure_baselines
from ganbench.stages.sample_metrics import measure_samples
from ganbench.stages.score import score_samples

from .averages import COUNT, averages
from .conftest import Project

pytestmark = pytest.mark.usefixtures("_few_samples")

ORDER = torch.randperm(COUNT, generator=seeding.generator(0, "subset"))


def print_score(record: Record) -> None:
    print(score_text(record), end="")


COUNTS = ("samples_given", "shared_images")
PROGRAM = """
import sys
sys.modules["snakemake"] = sys.modules["typst"] = None
from ganbench.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    path = tmp_path_factory.mktemp("scored") / "samples.npy"
    np.save(path, averages().reshape(-1, 8, 8))
    return path, score_samples(path, "digits")


def of_source(record: Record, source: str) -> dict[str, list[Metric]]:
    """Its metrics by name."""
    actual: dict[str, list[Metric]] = {}
    for metric in record.metrics:
        if metric.labels["source"] == source:
            actual.setdefault(metric.name, []).append(metric)
    return actual


def test_the_record_holds_every_measure_with_its_unit(scored: tuple[Path, Record]) -> None:
    _, record = scored
    likelihood = {
        "log_likelihood",
        "grid_penalty",
        "bandwidth_error",
        "validation_log_likelihood",
    }
    expected = {
        "samples": MEASURES.keys() | likelihood | {"samples_given"},
        "held_out_images": MEASURES.keys(),
        "training_images": likelihood,
        "data": {"shared_images"},
    }
    assert {source: of_source(record, source).keys() for source in expected} == expected
    assert {metric.labels["source"] for metric in record.metrics} == expected.keys()
    units = {name: measure.unit for name, measure in MEASURES.items()}
    units |= dict.fromkeys(likelihood, "nats") | dict.fromkeys(COUNTS, "images")
    for metric in record.metrics:
        assert metric.unit == units[metric.name]


def test_training_images_are_scored_as_the_baselines_are(
    scored: tuple[Path, Record], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
    monkeypatch.setattr("ganbench.evaluation.baselines.CENTERS", {})
    job = project.job("baselines")
    baselines = measure_baselines(replace(job, out=project.folder / "r.json"), project.folder)
    expected = next(one for one in baselines.metrics if one.name == "log_likelihood")
    (actual,) = of_source(scored[1], "training_images")["log_likelihood"]
    assert (actual.value, actual.standard_error) == (expected.value, expected.standard_error)
    assert actual.labels["n_centers"] == COUNT


def test_the_likelihood_is_that_of_the_protocol(scored: tuple[Path, Record]) -> None:
    _, record = scored
    (fold,) = digits.load().folds
    validation, test = (
        torch.from_numpy(images.reshape(-1, 64)).float() / 16
        for images in (fold.validation, fold.test)
    )
    protocol = parzen.PROTOCOLS["gan2014"]
    expected = likelihood.estimate(
        [validation], [test], torch.from_numpy(averages())[ORDER], protocol
    )
    actual = record.metrics[0]
    assert actual.value == expected.log_likelihood
    assert actual.standard_error == expected.standard_error
    assert actual.labels["sigma"] == expected.folds[0].sigma
    assert (actual.n, actual.labels["protocol"]) == (300, "gan2014")


def test_the_record_names_what_was_read(scored: tuple[Path, Record]) -> None:
    path, record = scored
    assert record.inputs == {"samples.npy": file_sha256(path)}
    assert record.datasets == split_digests(digits.load())
    assert record.config == {"dataset": "digits", "protocol": "gan2014", "allow_copies": False}
    record.write(path.with_name("r.json"))
    assert read_record(path.with_name("r.json")) == record


def test_everything_is_printed(
    scored: tuple[Path, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    print_score(scored[1])
    shown = capsys.readouterr().out
    assert "digits, protocol gan2014" in shown
    words = " ".join(shown.split())
    for measure in MEASURES.values():
        assert measure.title in words
        assert f": {measure.direction}" in words
    samples, images = (
        of_source(scored[1], source)["log_likelihood"][0]
        for source in ("samples", "training_images")
    )
    (line,) = re.findall(r"Parzen log-likelihood, nats .*", shown)
    assert line.split()[3:9] == [
        *(f"{samples.value:.1f}", "±", f"{samples.standard_error:.1f}"),
        *(f"{images.value:.1f}", "±", f"{images.standard_error:.1f}"),
    ]
    (line,) = re.findall(r"Sigma, .*\d", shown)
    assert line.split()[2:4] == [f"{one.labels['sigma']:.3f}" for one in (samples, images)]
    (line,) = re.findall(r"Recall .*", shown)
    cells = [of_source(scored[1], one)["recall"][0] for one in ("samples", "held_out_images")]
    assert [word for word in line.split() if word[0] == "0" and "." in word][::2] == [
        f"{one.value:.3f}" for one in cells
    ]
    assert "at the grid's edge" not in shown
    assert "COLLAPSED" not in shown
    assert " ".join(shown.split()).endswith("(a baseline, not a bound).")


def relabelled(record: Record, name: str, **labels: str | int) -> Record:
    """The same with labels added to the metrics of a name."""
    metrics = [
        one.model_copy(update={"labels": one.labels | labels}) if one.name == name else one
        for one in record.metrics
    ]
    return record.model_copy(update={"metrics": metrics})


def added(record: Record, name: str, value: float, unit: str, source: str) -> Record:
    """The same with this metric in the place of its namesakes."""
    one = Metric(name=name, value=value, unit=unit, labels={"source": source})
    others = [metric for metric in record.metrics if metric.name != name]
    return record.model_copy(update={"metrics": [*others, one]})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda r: relabelled(r, "log_likelihood", protocol_note="it leaks"),
            "gan2014: it leaks.",
        ),
        (lambda r: relabelled(r, "log_likelihood", sigma_at_grid_edge=1), ", at the grid's edge"),
        (lambda r: relabelled(r, "grid_penalty", at_bound=1), " or more"),
        (lambda r: relabelled(r, "collapse_share", collapsed=1), " COLLAPSED"),
        (
            lambda r: added(r, "shared_images", 3, "images", "data"),
            "3 validation images are test images too, pixel by pixel.",
        ),
        (
            lambda r: added(r, "samples_given", 1700, "images", "samples"),
            f"Of 1,700 samples the table is of {COUNT}, drawn at random.",
        ),
    ],
)
def test_what_a_reader_must_know_is_printed(
    scored: tuple[Path, Record], capsys: pytest.CaptureFixture[str], change, expected: str
) -> None:
    print_score(scored[1])
    assert expected not in capsys.readouterr().out
    print_score(change(scored[1]))
    assert expected in capsys.readouterr().out


def test_samples_beyond_the_protocols_are_further_draws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "_sample_metrics", lambda *_: [])
    many = np.concatenate([averages(), averages() * 0.9, averages(7)])
    record = score_samples(many, "digits")
    order = torch.randperm(len(many), generator=seeding.generator(0, "subset")).numpy()
    alone = score_samples(many[order[COUNT : 2 * COUNT]], "digits")
    (again,) = of_source(record, "samples")["redrawn_log_likelihood"]
    assert again.value == pytest.approx(of_source(alone, "samples")["log_likelihood"][0].value)
    assert again.labels["draw"] == 1
    (given,) = of_source(record, "samples")["samples_given"]
    assert (given.value, given.n) == (2 * COUNT + 7, 2 * COUNT)
    capsys.readouterr()
    print_score(record)
    shown = capsys.readouterr().out
    assert f"Of 1,007 samples the table is of {COUNT}, drawn at random.\n" in shown
    assert (
        f"Log-likelihood of each further {COUNT}, nats: {again.value:.1f}; 7 samples were not used."
    ) in shown


def test_of_folds_the_range_of_sigma_and_the_leak_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digits.load()
    (fold,) = whole.folds
    parts = [(slice(0, 60), slice(0, 90)), (slice(60, 297), slice(90, 300))]
    folds = tuple(Fold(fold.validation[v], fold.test[t], None) for v, t in parts)
    data = Dataset("digits", 16.0, whole.train, None, folds)
    monkeypatch.setattr(score, "load", lambda *_: data)
    monkeypatch.setattr(score, "_sample_metrics", lambda *_: [])
    protocol = replace(parzen.GMMN2015, samples=COUNT, fold_sigmas=(0.5, 0.6))
    monkeypatch.setitem(parzen.PROTOCOLS, "gmmn2015", protocol)
    print_score(score_samples(averages(), "digits", "gmmn2015"))
    shown = capsys.readouterr().out
    assert f"gmmn2015: {parzen.GMMN2015.note}." in " ".join(shown.split())
    assert re.search(r"Sigma, pixels +0\.500, at the grid's edge", shown)
    metrics = [
        Metric(
            name="fold_log_likelihood",
            value=1,
            unit="nats",
            labels={"source": "samples", "sigma": sigma, "sigma_at_grid_edge": 0},
        )
        for sigma in (0.3, 0.1, 0.2)
    ]
    record = score_samples(averages(), "digits").model_copy(update={"metrics": metrics})
    assert score_print._sigma(record, "samples") == "0.100 to 0.300"


def test_a_path_may_be_text(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"s\.npy: cannot be read .*No such file.*; give"):
        score_samples(str(tmp_path / "s.npy"), "digits")


@pytest.mark.parametrize("kind", ["array", "tensor", "images"])
def test_arrays_and_tensors_are_taken_too(monkeypatch, kind: str) -> None:
    seen: list[torch.Tensor] = []

    def stop(rows: torch.Tensor, *_: object) -> None:
        seen.append(rows)
        raise GanbenchError("enough")

    monkeypatch.setattr(score.overlaps, "refuse_copies", stop)
    samples = {
        "array": averages(),
        "tensor": torch.from_numpy(averages()).requires_grad_(),
        "images": averages().reshape(-1, 1, 8, 8),
    }[kind]
    with pytest.raises(GanbenchError, match="enough"):
        score_samples(samples, "digits")
    assert torch.equal(seen[0], torch.from_numpy(averages())[ORDER])


def test_copies_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    def stop(*_: object) -> None:
        reached.append(True)
        raise GanbenchError("enough")

    monkeypatch.setattr(score, "_likelihoods", stop)
    images = digits.load().train[:COUNT].reshape(-1, 64) / 16
    with pytest.raises(GanbenchError, match="enough"):
        score_samples(images, "digits", allow_copies=True)
    assert reached


@pytest.mark.parametrize(
    ("dataset", "protocol", "message"),
    [
        ("mnits", "gan2014", "--dataset: got 'mnits'; give one of cifar10, digits, faces48, mnist"),
        ("digits", "gan2015", "--protocol: got 'gan2015'; give one of fine, gan2014, gmmn2015"),
    ],
)
def test_unknown_names(dataset: str, protocol: str, message: str) -> None:
    with pytest.raises(GanbenchError, match=message):
        score_samples(averages(), dataset, protocol)


def test_missing_data_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataNotAvailableError, match="is missing"):
        score_samples(averages(), "mnist", data_dir=tmp_path)


def test_the_command_needs_neither_snakemake_nor_typst(tmp_path: Path) -> None:
    """And a user's mistake is one line."""
    np.save(tmp_path / "s.npy", averages())
    command = ["score", "--samples", str(tmp_path / "s.npy"), "--dataset", "digits"]
    actual = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--out", str(tmp_path / "r.json")],
        capture_output=True,
        text=True,
    )
    assert actual.returncode == 3
    assert actual.stderr == (
        f"{tmp_path}/s.npy: got {COUNT} samples, the protocol takes 10000; draw more\n"
    )


def test_the_schema_holds_intervals(scored: tuple[Path, Record], tmp_path: Path) -> None:
    scored[1].write(tmp_path / "r.json")
    metrics = json.loads((tmp_path / "r.json").read_text())["metrics"]
    accuracy = next(one for one in metrics if one["name"] == "neighbour_accuracy")
    low, high = accuracy["interval"]
    assert low < accuracy["value"] < high


def test_the_held_out_images_are_those_of_the_suites_controls(
    scored: tuple[Path, Record], two_runs: Project
) -> None:
    job = replace(two_runs.job("sample_metrics", None), out=two_runs.folder / "sample_metrics.json")
    suite = of_source(measure_samples(job, [], two_runs.folder), "held_out_images")
    assert of_source(scored[1], "held_out_images") == suite


def test_a_file_sorted_by_class_is_scored_as_any_order_is() -> None:
    """Of more samples than are looked at, and by class: the first would be of few classes."""
    whole = digits.load()
    shifted = np.roll(whole.train, 1, axis=3)[np.argsort(whole.train_labels, kind="stable")]
    array = shifted.reshape(-1, 64).astype(np.float32) / 16
    metrics = of_source(score_samples(array, "digits", allow_copies=True), "samples")
    assert metrics["classes_hit"][0].value == 10


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float16])
def test_tensors_of_few_bits_are_taken(dtype: torch.dtype) -> None:
    few = torch.from_numpy(averages()).to(dtype)
    rows, _ = score._rows(few, digits.load(), COUNT, "samples")
    assert torch.equal(rows, few.float()[ORDER])


@pytest.mark.parametrize(
    "tensor", [torch.zeros(COUNT, 64).to_sparse(), torch.zeros(COUNT, 64, device="meta")]
)
def test_tensors_without_plain_values_are_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(GanbenchError, match=r"a tensor without plain real numbers; give x\.float"):
        score_samples(tensor, "digits")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: 1 - x, "they look inverted: give 1 - x,"),
        (lambda x: x.transpose(0, 2, 1), "they look transposed: give the rows first,"),
        (lambda x: x, ""),
    ],
)
def test_a_hint_tells_what_samples_look_like(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, change, words: str
) -> None:
    monkeypatch.setattr(score, "SampleMeasurer", None)
    with pytest.raises(TypeError):
        score_samples(change(averages().reshape(-1, 8, 8)), "digits")
    shown = capsys.readouterr().err
    assert words in shown
    assert bool(shown) == bool(words)


def test_the_table_fits_80_columns_and_breaks_no_number(
    scored: tuple[Path, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    long = added(scored[1], "recall", 0.5, "1", "samples")
    wide = Metric(
        name="squared_mmd", value=-0.1236, interval=(-0.2345, -0.0123), unit="1",
        labels={"source": "samples", "bandwidth": 0.25},
    )  # fmt: skip
    print_score(long.model_copy(update={"metrics": [*long.metrics, wide]}))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("-0.1236 (-0.2345 to -0.0123)" in line for line in lines)


def test_two_samples_are_compared_with_intervals(scored: tuple[Path, Record]) -> None:
    frame = score_print.comparison(scored[1], scored[1]).set_index("measure")
    row = frame.loc["Parzen log-likelihood, nats"]
    error = of_source(scored[1], "samples")["log_likelihood"][0].standard_error
    assert row["difference"] == 0
    assert error is not None
    assert row["high"] == pytest.approx(1.96 * 2**0.5 * error)
    assert np.isnan(frame.loc["Distance ratio", "high"])
    shown = score_print.comparison_text(scored[1], scored[1], ("a.npy", "a" * 30))
    assert max(map(len, shown.splitlines())) <= 80
