from pathlib import Path

import pytest
import yaml

from ganbench.config import settings_digest
from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.errors import DataError, DataNotAvailableError
from ganbench.provenance import code_digest
from ganbench.records import read_record
from ganbench.stages.fetch import fetch_record

EXPERIMENT = {
    "title": "Test",
    "dataset": "digits",
    "generator": {
        "noise": "uniform",
        "layers": [{"kind": "linear", "units": 64, "activation": "sigmoid", "irange": 0.05}],
    },
    "discriminator": {"layers": [{"kind": "linear", "units": 1, "irange": 0.005}]},
    "training": {"batch_size": 10, "learning_rate": 0.1, "phases": [{"epochs": 1}]},
    "evaluation": {"monitor_every": 1},
}


def experiment(tmp_path, dataset: str) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT | {"dataset": dataset}))
    return path


def test_the_record_tells_sizes_and_digests(tmp_path):
    out = tmp_path / "records" / "digits.json"
    record = fetch_record(experiment(tmp_path, "digits"), out, "demo", tmp_path, in_workflow=True)
    assert record == read_record(out)
    assert (record.stage, record.status, record.message) == ("fetch", "ok", "")
    assert (record.suite, record.experiment, record.seed) == ("demo", "digits", None)
    assert record.config == {"dataset": "digits"}
    assert record.config_digest == settings_digest({"dataset": "digits"})
    sizes = {metric.labels["split"]: metric.value for metric in record.metrics}
    assert sizes == {"train": 1200, "validation": 297, "test": 300}
    assert {(metric.name, metric.unit) for metric in record.metrics} == {("images", "1")}
    assert record.datasets == split_digests(digits.load())
    assert record.provenance.code_digest == code_digest("fetch")
    assert record.provenance.wall_time_s >= 0


def test_missing_data_is_a_record_in_the_workflow(tmp_path):
    out = tmp_path / "tfd.json"
    data_dir = tmp_path / "data"
    record = fetch_record(experiment(tmp_path, "tfd"), out, "paper", data_dir, in_workflow=True)
    assert record == read_record(out)
    assert record.status == "data_not_available"
    path = data_dir / "tfd" / "TFD_48x48.mat"
    assert record.message.startswith(f"{path}: is missing and cannot be downloaded; ask ")
    assert record.metrics == []
    assert record.datasets == {}


def test_missing_data_is_an_error_by_hand(tmp_path):
    out = tmp_path / "tfd.json"
    with pytest.raises(DataNotAvailableError, match="is missing and cannot be downloaded"):
        fetch_record(experiment(tmp_path, "tfd"), out, "paper", tmp_path, in_workflow=False)
    assert not out.exists()


def test_bad_data_is_an_error_in_the_workflow_too(tmp_path):
    path = tmp_path / "faces48" / "faces48.npz"
    path.parent.mkdir()
    path.write_bytes(b"no archive")
    out = tmp_path / "faces48.json"
    with pytest.raises(DataError, match=r"cannot be read as .npz"):
        fetch_record(experiment(tmp_path, "faces48"), out, "paper", tmp_path, in_workflow=True)
    assert not out.exists()
