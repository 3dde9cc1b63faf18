"""What samplers that learn nothing get, recomputed, and how it is recorded."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import torch

from ganbench import seeding
from ganbench.data import digits
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import baselines, parzen
from ganbench.evaluation.parzen import GAN2014
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, read_record
from ganbench.stages.baselines import measure_baselines
from ganbench.stages.likelihood import curve_parts

from .conftest import SAMPLES, Project

NATS = 0.01  # float32 distances (about 1e-6 of a square of 10) times 1 / (2 sigma^2) <= 50


def metrics(record: Record, name: str, **labels: str | int) -> list[Metric]:
    return [
        one for one in record.metrics if one.name == name and labels.items() <= one.labels.items()
    ]


def slow_likelihood(samples: np.ndarray, sigma: float) -> float:
    """Of the digits' test images, in float64 by explicit differences."""
    pixels = digits.load().folds[0].test.reshape(-1, 64) / 16.0
    squares = ((pixels[:, None] - samples[None]) ** 2).sum(2)
    mixed = scipy.special.logsumexp(-squares / (2 * sigma**2), axis=1) - np.log(len(samples))
    return float(mixed.mean() - 64 * np.log(sigma * np.sqrt(2 * np.pi)))


def training_images(draw: tuple[int, ...], count: int) -> np.ndarray:
    order = torch.randperm(1200, generator=seeding.generator(0, "subset", *draw))
    return digits.load().train.reshape(-1, 64)[order[:count].numpy()] / 16.0


@pytest.fixture
def record(project: Project) -> Record:
    project.settings["evaluation"]["draws"] = 3
    project.write()
    return measure_baselines(project.job("baselines", None), project.folder)


def test_training_images_are_scored_draw_by_draw(record: Record) -> None:
    assert (record.stage, record.seed) == ("baselines", None)
    (first,) = metrics(record, "log_likelihood", checkpoint="training_images")
    others = metrics(record, "redrawn_log_likelihood", checkpoint="training_images")
    assert [one.labels["draw"] for one in others] == [1, 2]
    for draw, actual in zip([(), (1,), (2,)], [first, *others], strict=True):
        assert (actual.labels["protocol"], actual.labels["n_centers"]) == ("gan2014", SAMPLES)
        expected = slow_likelihood(training_images(draw, SAMPLES), float(actual.labels["sigma"]))
        assert actual.value == pytest.approx(expected, abs=NATS)


def test_every_sampler_has_a_row_under_the_name_of_its_protocol(record: Record) -> None:
    rows = {str(one.labels["checkpoint"]): one for one in metrics(record, "log_likelihood")}
    assert set(rows) == {"training_images", "kmeans_24", "kmeans_240", "gaussian", "uniform_noise"}
    assert rows["kmeans_24"].labels["protocol"] == "gan2014_24_centers"
    assert (
        rows["gaussian"].labels["protocol"] == rows["uniform_noise"].labels["protocol"] == "gan2014"
    )
    # Theis et al. 2015: centres beat draws from the truth; noise is the worst of all.
    assert rows["kmeans_240"].value > rows["training_images"].value
    assert rows["uniform_noise"].value == min(one.value for one in rows.values())
    for name in rows:
        assert len(metrics(record, "grid_penalty", checkpoint=name)) == 1


def test_the_curve_grows_to_all_training_images(record: Record) -> None:
    curve = metrics(record, "log_likelihood_by_samples")
    assert [one.labels["n_centers"] for one in curve] == [100, 300, 1000, 1200]
    assert curve[0].labels["protocol"] == "gan2014_100_centers"
    for one in curve:
        samples = training_images((), int(one.labels["n_centers"]))
        assert one.value == pytest.approx(
            slow_likelihood(samples, float(one.labels["sigma"])), abs=NATS
        )
    assert curve[0].value < curve[-1].value


def test_baselines_takes_what_there_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", replace(GAN2014, sigmas=(0.1, 0.2)))
    monkeypatch.setattr(baselines, "CENTERS", {10: 5})
    project.settings["evaluation"]["draws"] = 3
    project.write()
    record = measure_baselines(project.job("baselines", None), project.folder)
    (actual,) = metrics(record, "log_likelihood", checkpoint="training_images")
    assert (actual.labels["n_centers"], actual.labels["protocol"]) == (1200, "gan2014_1200_centers")
    # Another draw of all images would be the same images.
    assert not metrics(record, "redrawn_log_likelihood")


def test_the_curve_is_cut_at_round_numbers_and_at_the_end() -> None:
    assert curve_parts(100) == [100]
    assert curve_parts(1200) == [100, 200, 700, 200]
    assert np.cumsum(curve_parts(100_000)).tolist() == [
        100,
        300,
        1000,
        3000,
        10_000,
        30_000,
        50_000,
        100_000,
    ]


def test_the_same_data_are_measured_once(
    project: Project, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = project.job("baselines", None).out
    project.settings["training"]["learning_rate"] = 0.05
    project.write()
    monkeypatch.setattr("ganbench.stages.baselines.Likelihood", None)  # nothing is scored
    job = replace(project.job("baselines", None), out=project.folder / "again.json")
    again = measure_baselines(job, project.folder, like=first)
    assert again.metrics == record.metrics
    assert again.config_digest == job.experiment.digest != record.config_digest
    assert again.inputs == {f"{first.parent.name}/{first.name}": file_sha256(first)}
    assert read_record(job.out) == again


OTHER = {
    "stage": {"stage": "score"},
    "data": {"datasets": {"train": "other"}},
    "version": {},
    "draws": {},
}


@pytest.mark.parametrize("change", OTHER)
def test_baselines_of_something_else_is_refused(
    project: Project, record: Record, change: str
) -> None:
    path = project.job("baselines", None).out
    other = record.model_copy(update=OTHER[change])
    if change == "version":
        made = record.provenance.model_copy(update={"numerics": 2})
        other = record.model_copy(update={"provenance": made})
    if change == "draws":
        project.settings["evaluation"]["draws"] = 2
        project.write()
    other.write(path)
    job = replace(project.job("baselines", None), out=project.folder / "again.json")
    with pytest.raises(GanbenchError) as error:
        measure_baselines(job, project.folder, like=path)
    assert str(error.value) == (
        f"--like: {path} is no baselines record of version 1 for the data, protocol and draws of "
        f"{job.config}; leave --like out"
    )
    assert not job.out.exists()


def test_baselines_without_data(project: Project) -> None:
    project.settings["dataset"] = "tfd"
    project.write()
    job = project.job("baselines", None)
    with pytest.raises(DataNotAvailableError, match=r"TFD_48x48\.mat: is missing"):
        measure_baselines(job, project.folder)
    assert not job.out.exists()
    record = measure_baselines(job, project.folder, in_workflow=True)
    assert (record.status, record.metrics) == ("data_not_available", [])
    assert read_record(job.out) == record
