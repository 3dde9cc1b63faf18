"""A job's identity, device and record."""

import time

import pytest
import torch

import ganbench_kernels
from ganbench.config import load_experiment
from ganbench.errors import ConfigError, GanbenchError
from ganbench.provenance import code_digest, file_sha256, versions
from ganbench.records import Metric, read_record
from ganbench.stages.context import Job, check_impl, impl_used, resolve_device
from ganbench_kernels import dispatch

from .conftest import Project


def test_a_job_reads_its_settings(project: Project) -> None:
    assert project.job("train").experiment == load_experiment(project.config)
    project.config.unlink()
    with pytest.raises(ConfigError, match=r"tiny\.yaml: cannot be read"):
        project.job("train")


def test_a_record_says_who_what_where_and_with_what(project: Project) -> None:
    job = project.job("evaluate", seed=3)
    job.out.parent.mkdir()
    (job.out.parent / "file.txt").write_text("content")
    metric = Metric(name="epochs", value=1.0, unit="epochs")
    record = job.record(
        metrics=[metric],
        files=["file.txt"],
        inputs={"a": "b"},
        datasets={"train": "c"},
        earlier_s=100.0,
    )
    assert read_record(job.out) == record
    assert (record.stage, record.suite, record.experiment) == ("evaluate", "tests", "tiny")
    assert (record.seed, record.status, record.metrics) == (3, "ok", [metric])
    assert record.config == job.experiment.model_dump(mode="json")
    assert record.config_digest == job.experiment.digest
    assert record.files == {"file.txt": file_sha256(job.out.parent / "file.txt")}
    assert (record.inputs, record.datasets) == ({"a": "b"}, {"train": "c"})
    made = record.provenance
    assert made.code_digest == code_digest("evaluate")
    assert made.versions == versions()
    assert (made.threads, made.impl, made.precision) == (1, impl_used(), "float32")
    assert 100 <= made.wall_time_s < 100 + time.time() - job.started + 0.01


def test_a_stage_without_work_passes_on_why(project: Project) -> None:
    path = project.job("train").out
    earlier = project.job("train").record(status="diverged", message="epoch 2: not finite")
    record = project.job("sample").pass_on(earlier, path)
    assert record.inputs == {path.name: file_sha256(path)}
    assert (record.stage, record.status) == ("sample", "diverged")
    assert record.message == "epoch 2: not finite"
    assert read_record(project.job("sample").out) == record


def test_images_are_preprocessed_rows(project: Project) -> None:
    job = project.job("train")
    dataset, digests = job.load_data(project.folder)
    assert digests.keys() == {"train", "validation", "test"}
    train = job.images(dataset, dataset.train)
    assert len(train) == 1200
    assert train.shape == (1, 8, 8)
    expected = torch.from_numpy(dataset.train[5:7]).double().flatten(1) / 16
    torch.testing.assert_close(train.rows(torch.tensor([5, 6])).double(), expected)
    means = torch.from_numpy(dataset.train).double().flatten(1).mean(0) / 16
    torch.testing.assert_close(train.pixel_means(batch=7).double(), means, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("gpu", [False, True])
def test_auto_takes_the_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch, gpu: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert resolve_device("auto") == ("cuda" if gpu else "cpu")
    assert resolve_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = "--device: got cuda, but torch finds no GPU; use --device cpu"
    with pytest.raises(GanbenchError, match=f"^{message}$"):
        Job("train", project.config, project.config, "tests", 0, "cuda", "auto")


def test_triton_needs_a_gpu() -> None:
    check_impl("triton", "cuda")
    check_impl("auto", "cpu")
    message = "--impl: got triton, which needs a GPU; use --impl reference"
    with pytest.raises(GanbenchError, match=f"^{message}$"):
        check_impl("triton", "cpu")


def test_the_recorded_kernels_are_those_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_choices", {})
    assert impl_used() == "none"
    dispatch.record_choice("dropout", "reference")
    dispatch.record_choice("maxout", "reference")
    assert impl_used() == "reference"
    dispatch.record_choice("maxout", "triton")
    assert impl_used() == "dropout: reference; maxout: reference, triton"


def test_the_impl_option_reaches_the_kernels(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_default", "auto")
    Job("train", project.config, project.config, "tests", 0, "cpu", "reference")
    assert dispatch._default == "reference"
    monkeypatch.setattr(dispatch, "_default", "triton")
    with pytest.raises(ValueError, match=r"needs tensors on a GPU|triton package is not installed"):
        ganbench_kernels.dropout(torch.ones(2, 2), 0.5, torch.tensor(0), torch.tensor(0))
