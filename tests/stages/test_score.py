"""`ganbench score`: guards, the record, and that nothing of the workflow is needed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataError, DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen, scoring
from ganbench.evaluation.measures import MEASURES
from ganbench.provenance import file_sha256
from ganbench.records import Record, read_record
from ganbench.report import score_print
from ganbench.report.score_print import print_score
from ganbench.stages import score
from ganbench.stages.score import score_samples, score_suite

from .conftest import Project

COUNT = 500
PROGRAM = """
import sys
sys.modules["snakemake"] = sys.modules["typst"] = None
from ganbench.__main__ import main
main()
"""


def averages(count: int = COUNT) -> np.ndarray:
    """Means of two training images: no image of the data set."""
    images = digits.load().train.reshape(-1, 64).astype(np.float32) / 16
    return ((images[:count] + images[1 : count + 1]) / 2).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """The protocol takes few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
        torch.set_num_threads(1)
        yield


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    path = tmp_path_factory.mktemp("scored") / "samples.npy"
    np.save(path, averages().reshape(-1, 8, 8))
    return path, score_samples(path, "digits")


def test_the_record_holds_every_measure_with_its_unit(scored: tuple[Path, Record]) -> None:
    _, record = scored
    likelihood = {"log_likelihood", "grid_penalty", "bandwidth_error"}
    assert {metric.name for metric in record.metrics} == MEASURES.keys() | likelihood
    for metric in record.metrics:
        expected = MEASURES[metric.name].unit if metric.name in MEASURES else "nats"
        assert metric.unit == expected


def test_the_likelihood_is_that_of_the_protocol(scored: tuple[Path, Record]) -> None:
    _, record = scored
    (fold,) = digits.load().folds
    validation, test = (
        torch.from_numpy(images.reshape(-1, 64)).float() / 16
        for images in (fold.validation, fold.test)
    )
    protocol = parzen.PROTOCOLS["gan2014"]
    expected = scoring.score([validation], [test], torch.from_numpy(averages()), protocol)
    found = record.metrics[0]
    assert found.value == expected.log_likelihood
    assert found.standard_error == expected.standard_error
    assert found.labels["sigma"] == expected.folds[0].sigma
    assert (found.n, found.labels["protocol"]) == (300, "gan2014")


def test_the_record_names_what_was_read(scored: tuple[Path, Record]) -> None:
    path, record = scored
    assert record.inputs == {"samples.npy": file_sha256(path)}
    assert record.datasets == split_digests(digits.load())
    assert record.config == {"dataset": "digits", "protocol": "gan2014", "allow_copies": False}
    record.write(path.with_name("r.json"))
    assert read_record(path.with_name("r.json")) == record


def test_everything_is_printed(
    scored: tuple[Path, Record],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(score_print, "LOG_WIDTH", 300)
    print_score(scored[1])
    shown = capsys.readouterr().out
    assert "digits, protocol gan2014" in shown
    for measure in MEASURES.values():
        assert measure.title in shown
        assert measure.direction in shown
    assert f"{scored[1].metrics[0].value:.1f} ± " in shown


@pytest.mark.parametrize("kind", ["array", "tensor", "images"])
def test_arrays_and_tensors_are_taken_too(monkeypatch, kind: str) -> None:
    seen: list[torch.Tensor] = []

    def stop(rows: torch.Tensor, *_: object) -> None:
        seen.append(rows)
        raise GanbenchError("enough")

    monkeypatch.setattr(score, "refuse_copies", stop)
    samples = {
        "array": averages(),
        "tensor": torch.from_numpy(averages()).requires_grad_(),
        "images": averages().reshape(-1, 1, 8, 8),
    }[kind]
    with pytest.raises(GanbenchError, match="enough"):
        score_samples(samples, "digits")
    assert torch.equal(seen[0], torch.from_numpy(averages()))


@pytest.mark.parametrize("split", ["training", "validation", "test"])
def test_images_of_the_data_set_are_no_samples(split: str) -> None:
    data = digits.load()
    images = {
        "training": data.train,
        "validation": data.folds[0].validation,
        "test": data.folds[0].test,
    }
    samples = averages()
    # Float noise of less than half a level is no difference.
    samples[7:10] = images[split][:3].reshape(3, 64) / 16 + 0.01
    with pytest.raises(GanbenchError) as error:
        score_samples(samples.clip(0, 1), "digits")
    assert str(error.value) == (
        f"samples: 3 of {COUNT} samples are {split} images of digits, pixel by pixel; give the "
        "model's own, or --allow-copies to score them as they are"
    )


def test_copies_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    def stop(*_: object) -> None:
        reached.append(True)
        raise GanbenchError("enough")

    monkeypatch.setattr(score.scoring, "score", stop)
    images = digits.load().train[:COUNT].reshape(-1, 64) / 16
    with pytest.raises(GanbenchError, match="enough"):
        score_samples(images, "digits", allow_copies=True)
    assert reached


def test_a_test_image_that_chooses_the_bandwidth_is_refused() -> None:
    whole = digits.load()
    (fold,) = whole.folds
    leaking = Fold(fold.validation, np.concatenate([fold.test, fold.validation[:4]]), None)
    data = Dataset("digits", 16.0, whole.train, None, (fold, leaking))
    with pytest.raises(DataError) as error:
        score.check_splits(data)
    assert str(error.value) == (
        "digits: fold 1: 4 validation images are test images too; give each image to one split"
    )
    score.check_splits(whole)


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
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--out", str(tmp_path / "r.json")],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert found.stderr == (
        f"{tmp_path}/s.npy: got {COUNT} samples, the protocol takes 10000; draw more\n"
    )


@pytest.fixture
def sampled(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two runs of a suite: one with samples, one that diverged."""
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
    good, bad = (project.job("sample", seed) for seed in (0, 1))
    for job in (good, bad):
        job.out.parent.mkdir()
    np.save(good.out.parent / "samples_last.npy", averages())
    good.record(files=["samples_last.npy"], datasets=split_digests(digits.load()))
    bad.record(status="diverged", message="epoch 1: infinite; try again")
    return project


def test_a_suite_is_scored_with_its_controls(sampled: Project) -> None:
    job = sampled.job("score", None)
    job = replace(job, out=sampled.folder / "score.json")
    record = score_suite(job, [0, 1], sampled.folder)
    assert read_record(sampled.folder / "score.json") == record
    assert record.inputs.keys() == {"seed_0/sample.json", "seed_1/sample.json"}
    values = {
        (metric.labels["source"], metric.name): metric.value
        for metric in record.metrics
        if metric.labels.get("bandwidth", 1.0) == 1.0
    }
    sources = {source for source, _ in values}
    assert sources == {"model", "held_out_images", "blurred_images", "training_images"}
    assert {name for _, name in values} == MEASURES.keys()
    seeds = {m.labels["seed"] for m in record.metrics if m.labels["source"] == "model"}
    assert seeds == {0}
    assert values["training_images", "exact_duplicates"] == 1
    assert values["training_images", "copied_share"] == pytest.approx(1)
    assert values["held_out_images", "exact_duplicates"] == 0
    # The digits are ordered by their writers: those of the test images wrote no training image,
    # which the control shows and a reader needs to know.
    assert 0.3 < values["held_out_images", "copied_share"] < 0.8
    assert values["blurred_images", "nearest_ratio"] < 0.9
    assert values["blurred_images", "copied_share"] < 0.8


@pytest.mark.parametrize("change", ["config_digest", "seed", "datasets"])
def test_samples_of_something_else_are_refused(sampled: Project, change: str) -> None:
    path = sampled.folder / "seed_0" / "sample.json"
    record = read_record(path)
    other = {"config_digest": "other", "seed": 7, "datasets": {"train": "other"}}[change]
    record.model_copy(update={change: other}).write(path)
    job = replace(sampled.job("score", None), out=sampled.folder / "score.json")
    with pytest.raises(GanbenchError) as error:
        score_suite(job, [0], sampled.folder)
    assert str(error.value) == (
        f"{path}: was sampled with other settings, another seed or other data than {job.config}, "
        "0 and the data now; run `ganbench sample` again"
    )
    assert not (sampled.folder / "score.json").exists()


def test_missing_data_of_a_suite_are_recorded(
    sampled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise DataNotAvailableError("tfd: is missing; ask for it")

    job = sampled.job("score", None)
    monkeypatch.setattr(type(job), "load_data", missing)
    with pytest.raises(DataNotAvailableError):
        score_suite(job, [0], sampled.folder)
    record = score_suite(job, [0], sampled.folder, in_workflow=True)
    assert (record.status, record.message) == (
        "data_not_available",
        "tfd: is missing; ask for it",
    )


def test_measures_without_classes_are_left_out() -> None:
    whole = digits.load()
    fold = Fold(whole.folds[0].validation, whole.folds[0].test, None)
    data = Dataset("digits", 16.0, whole.train, None, (fold,))
    stick = score._yardstick(data, data.train, lambda raw: torch.from_numpy(raw).flatten(1) / 16)
    names = {one.name for one in stick.measure(torch.from_numpy(averages()), 0.2)}
    absent = {"class_divergence", "classes_hit", "classifier_accuracy"}
    assert names == MEASURES.keys() - absent


def test_the_schema_holds_intervals(scored: tuple[Path, Record], tmp_path: Path) -> None:
    scored[1].write(tmp_path / "r.json")
    metrics = json.loads((tmp_path / "r.json").read_text())["metrics"]
    accuracy = next(one for one in metrics if one["name"] == "neighbour_accuracy")
    low, high = accuracy["interval"]
    assert low < accuracy["value"] < high
