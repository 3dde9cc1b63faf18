"""`ganbench sample-metrics`: a suite's samples beside baselines, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganbench.data import digits
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen
from ganbench.evaluation.measures import MEASURES
from ganbench.provenance import file_sha256
from ganbench.records import read_record
from ganbench.stages.sample_metrics import SampleMeasurer, measure_samples

from .averages import averages
from .conftest import Project

pytestmark = pytest.mark.usefixtures("_few_samples")


def test_a_suite_is_scored_with_its_controls(two_runs: Project) -> None:
    job = two_runs.job("sample_metrics", None)
    job = replace(job, out=two_runs.folder / "sample_metrics.json")
    record = measure_samples(job, [0, 1], two_runs.folder)
    assert read_record(two_runs.folder / "sample_metrics.json") == record
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
    # which the baseline shows and a reader needs to know.
    assert 0.3 < values["held_out_images", "copied_share"] < 0.8
    assert values["blurred_images", "nearest_ratio"] < 0.9
    assert values["blurred_images", "copied_share"] < 0.8


def test_progress_names_samplers_in_words(
    two_runs: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    job = replace(two_runs.job("sample_metrics", None), out=two_runs.folder / "sample_metrics.json")
    measure_samples(job, [0], two_runs.folder)
    lines = [line for line in capsys.readouterr().out.splitlines() if "measures" in line]
    shown = [line.partition(", ")[2].partition(":")[0] for line in lines]
    baselines = ["held out images", "blurred images", "training images"]
    assert shown == ["model last 0", *baselines]


@pytest.mark.parametrize("samples", [100, 5000])
def test_the_baselines_are_different_images(samples: int) -> None:
    """The same images would score the same wherever only test images are looked at."""
    data = digits.load()

    def to_rows(raw: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(raw).float().flatten(1) / data.scale

    protocol = replace(parzen.GAN2014, samples=samples)
    measurer = SampleMeasurer(data, protocol, to_rows, "digits")
    taken = {name: rows for name, _, rows in measurer.baselines(measurer.yardstick(data.train))}
    assert torch.cdist(taken["held_out_images"], taken["training_images"]).min() > 0.1


def test_the_controls_of_the_same_data_are_measured_once(
    two_runs: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = two_runs.folder / "sample_metrics.json"
    record = measure_samples(
        replace(two_runs.job("sample_metrics", None), out=path), [0, 1], two_runs.folder
    )
    monkeypatch.setattr(SampleMeasurer, "baselines", None)
    job = replace(two_runs.job("sample_metrics", None), out=two_runs.folder / "again.json")
    again = measure_samples(job, [0, 1], two_runs.folder, like=path)
    assert again.metrics == record.metrics
    assert again.inputs == record.inputs | {
        f"{path.parent.name}/sample_metrics.json": file_sha256(path)
    }
    # The other experiment's own samples are none of the baselines.
    (two_runs.folder / "again.json").unlink()
    diverged = measure_samples(job, [1], two_runs.folder, like=path)
    assert {one.labels["source"] for one in diverged.metrics} == {
        "held_out_images",
        "blurred_images",
        "training_images",
    }


@pytest.mark.parametrize("change", ["config_digest", "seed", "datasets"])
def test_samples_of_something_else_are_refused(two_runs: Project, change: str) -> None:
    path = two_runs.folder / "seed_0" / "sample.json"
    record = read_record(path)
    other = {"config_digest": "other", "seed": 7, "datasets": {"train": "other"}}[change]
    record.model_copy(update={change: other}).write(path)
    job = replace(two_runs.job("sample_metrics", None), out=two_runs.folder / "sample_metrics.json")
    with pytest.raises(GanbenchError) as error:
        measure_samples(job, [0], two_runs.folder)
    assert str(error.value) == (
        f"{path}: was sampled with other settings, another seed or other data than {job.config}, "
        "0 and the data now; run `ganbench sample` again"
    )
    assert not (two_runs.folder / "sample_metrics.json").exists()


def test_missing_data_of_a_suite_are_recorded(
    two_runs: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise DataNotAvailableError("tfd: is missing; ask for it")

    job = two_runs.job("sample_metrics", None)
    monkeypatch.setattr(type(job), "load_data", missing)
    with pytest.raises(DataNotAvailableError):
        measure_samples(job, [0], two_runs.folder)
    record = measure_samples(job, [0], two_runs.folder, in_workflow=True)
    assert (record.status, record.message) == (
        "data_not_available",
        "tfd: is missing; ask for it",
    )


def test_measures_without_classes_are_left_out() -> None:
    whole = digits.load()
    fold = Fold(whole.folds[0].validation, whole.folds[0].test, None)
    data = Dataset("digits", 16.0, whole.train, None, (fold,))

    def to_rows(raw: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(raw).flatten(1) / 16

    stick = SampleMeasurer(data, parzen.GAN2014, to_rows, "digits").yardstick(data.train)
    names = {one.name for one in stick.measure(torch.from_numpy(averages()), 0.2)}
    absent = {"class_divergence", "classes_hit", "classifier_accuracy"}
    assert names == MEASURES.keys() - absent
