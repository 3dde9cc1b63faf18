"""ganbench in Python, on the digits."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ganbench
from ganbench import api
from ganbench.catalogue import DATASETS
from ganbench.data import digits
from ganbench.errors import GanbenchError
from ganbench.evaluation import parzen

COUNT = 300
SHORT = "extends: {shipped}\ntraining:\n  phases: [{{epochs: 2}}]\n"


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """The protocol takes few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=COUNT))
        torch.set_num_threads(1)
        yield


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    images = digits.load().train.reshape(-1, 64).astype(np.float32) / 16
    return (images[:COUNT] + images[1 : COUNT + 1]) / 2


@pytest.fixture(scope="module")
def result(samples: np.ndarray) -> api.ScoreResult:
    return ganbench.score(samples)


def test_the_package_alone_imports_next_to_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import ganbench; print(*set(sys.modules) - before)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = shown.stdout.split()
    assert "ganbench" in names
    assert len(names) < 20, names  # torch alone brings a thousand


def test_what_is_offered_is_there() -> None:
    assert set(ganbench.__all__) <= set(dir(ganbench))
    assert all(callable(getattr(ganbench, name)) for name in ganbench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        ganbench.scores  # noqa: B018


def test_a_result_says_everything_in_every_form(result: api.ScoreResult) -> None:
    assert "digits, protocol gan2014" in repr(result)
    assert f"{result.log_likelihood:.1f} ±" in repr(result)
    assert "<table" in result._repr_html_()
    assert json.dumps(result.to_dict())
    frame = result.to_frame()
    assert len(frame) == len(result.record.metrics)
    first = frame[frame["name"] == "log_likelihood"].iloc[0]
    assert first["value"] == result.log_likelihood
    assert first["standard_error"] > 0
    assert result.compare(result)["difference"].abs().max() == 0


def test_results_stand_side_by_side(result: api.ScoreResult) -> None:
    frame = ganbench.table(mine=result, yours=result)
    assert list(frame.columns) == ["mine", "yours", "Baseline"]
    assert (frame["mine"] == frame["yours"]).all()
    with pytest.raises(GanbenchError, match="give results of one data set and protocol"):
        ganbench.table()


def test_the_metric_scores_all_batches_as_one(samples: np.ndarray, result: api.ScoreResult) -> None:
    metric = ganbench.ScoreMetric("digits")
    with pytest.raises(GanbenchError, match="call update first"):
        metric.compute()
    for batch in np.array_split(samples, 4):
        metric.update(torch.from_numpy(batch).requires_grad_())
    assert metric.compute().record.metrics == result.record.metrics
    metric.reset()
    with pytest.raises(GanbenchError, match="call update first"):
        metric.compute()


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((784,), "mnist"),
        ((28, 28), "mnist"),
        ((28, 28, 1), "mnist"),
        ((3, 32, 32), "cifar10"),
        ((32, 32, 3), "cifar10"),
        ((64,), "digits"),
    ],
)
def test_the_shape_names_the_data_set(
    capsys: pytest.CaptureFixture[str], shape: tuple[int, ...], name: str
) -> None:
    assert api.guess_dataset(shape) == name
    assert capsys.readouterr().err == f"data set: {name}, by the shape of the samples\n"


@pytest.mark.parametrize(("shape", "names"), [((48, 48), "tfd, faces48"), ((5,), "mnist, cifar10")])
def test_a_shape_that_names_none_is_refused(shape: tuple[int, ...], names: str) -> None:
    with pytest.raises(GanbenchError, match=f"--dataset: samples of shape .*; give {names}"):
        api.guess_dataset(shape)


def test_what_is_missing_is_fetched(
    samples: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = []

    def stop(name: str, folder: Path, progress: bool) -> None:
        wanted.append((name, folder, progress))
        raise GanbenchError("stop")

    monkeypatch.setattr("ganbench.data.fetch.fetch", stop)
    with pytest.raises(GanbenchError, match="stop"):
        ganbench.score(samples, "mnist", data_dir=tmp_path)
    assert wanted == [("mnist", tmp_path, False)]


def test_a_generator_is_trained_once_and_drawn_from(tmp_path: Path) -> None:
    config = tmp_path / "short.yaml"
    config.write_text(SHORT.format(shipped=api.experiment_file("digits").resolve()))
    (trained,) = ganbench.train(config, tmp_path / "run", device="cpu")
    written = (tmp_path / "run" / "seed_0" / "train.json").stat().st_mtime_ns
    (again,) = ganbench.train(config, tmp_path / "run", device="cpu")
    assert (tmp_path / "run" / "seed_0" / "train.json").stat().st_mtime_ns == written
    drawn = trained.sample(7)
    assert drawn.shape == (7, *DATASETS["digits"].shape)
    assert torch.equal(drawn, again.sample(7))
    assert not torch.equal(drawn, again.sample(7, seed=1))
    with pytest.raises(GanbenchError, match=r"has no 'generator_first.safetensors'; it has"):
        ganbench.load_generator(tmp_path / "run" / "seed_0", "first")


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(GanbenchError, match=r"got 'mnits'; give a \.yaml file or one of .*mnist"):
        api.experiment_file("mnits")
