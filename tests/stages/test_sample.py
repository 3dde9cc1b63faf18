"""Samples of a trained generator, and the arrays of the paper's figures."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganbench import seeding
from ganbench.data import digits
from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256
from ganbench.records import Record, read_record
from ganbench.stages.sample import sample
from ganbench.stages.train import train

from .conftest import SAMPLES, Project

CHECKPOINTS = ("last", "best_validation")
# Float32 products of at most 100 terms, in another order.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def trained(project: Project) -> Project:
    """A project whose seed 0 is trained."""
    train([project.job("train")], project.folder)
    return project


def run(project: Project, seed: int = 0) -> Record:
    job = project.job("sample", seed)
    return sample(job, job.out.with_name("train.json"), project.folder)


def generate(project: Project, checkpoint: str, noise: Tensor) -> Tensor:
    """The three layers of the trained generator, written out."""
    path = project.folder / "seed_0" / f"generator_{checkpoint}.safetensors"
    weights = load_file(path)

    def affine(x: Tensor, layer: int) -> Tensor:
        return x @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]

    front = torch.sigmoid(affine(noise, 0))
    return torch.sigmoid(affine(affine(front, 1).clip(min=0), 2))


def noise(index: int, count: int) -> Tensor:
    """The uniform noise of sub-stream `index` of seed 0's sampling."""
    bound = 3**0.5
    stream = seeding.generator(0, "sampling", index)
    return torch.empty(count, 100).uniform_(-bound, bound, generator=stream)


def arrays(project: Project, checkpoint: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    folder = project.folder / "seed_0"
    with np.load(folder / f"figures_{checkpoint}.npz", allow_pickle=False) as file:
        figures = dict(file)
    return np.load(folder / f"samples_{checkpoint}.npy", allow_pickle=False), figures


def test_the_record_names_what_was_read_and_written(trained: Project) -> None:
    record = run(trained)
    folder = trained.folder / "seed_0"
    assert read_record(folder / "sample.json") == record
    assert (record.stage, record.status, record.seed) == ("sample", "ok", 0)
    read = ["train.json", *(f"generator_{checkpoint}.safetensors" for checkpoint in CHECKPOINTS)]
    assert record.inputs == {name: file_sha256(folder / name) for name in read}
    written = [
        name
        for checkpoint in CHECKPOINTS
        for name in (f"samples_{checkpoint}.npy", f"figures_{checkpoint}.npz")
    ]
    assert record.files == {name: file_sha256(folder / name) for name in written}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_samples_are_the_generators(trained: Project, checkpoint: str) -> None:
    run(trained)
    samples, figures = arrays(trained, checkpoint)
    assert (samples.shape, samples.dtype) == ((SAMPLES, 64), np.float32)
    expected = generate(trained, checkpoint, noise(0, SAMPLES))
    torch.testing.assert_close(torch.from_numpy(samples), expected, **TOLERANCE)
    # Figure 2 shows the first twenty: nobody picked them.
    assert figures.keys() == {"samples", "neighbours", "interpolation"}
    assert figures["samples"].shape == (20, 1, 8, 8)
    assert np.array_equal(figures["samples"].reshape(20, 64), samples[:20])


def test_the_sixth_column_is_the_training_image_nearest_to_the_fifth(trained: Project) -> None:
    run(trained)
    _, figures = arrays(trained, "last")
    images = digits.load().train.reshape(-1, 64).astype(np.float64) / 16
    for row, neighbour in enumerate(figures["neighbours"]):
        shown = figures["samples"][5 * row + 4].reshape(64).astype(np.float64)
        nearest = images[((images - shown) ** 2).sum(1).argmin()]
        assert neighbour.shape == (1, 8, 8)
        assert np.allclose(neighbour.reshape(64), nearest, atol=1e-6)
    assert len(figures["neighbours"]) == 4


def test_interpolation_walks_straight_from_one_point_in_z_to_another(trained: Project) -> None:
    run(trained)
    _, figures = arrays(trained, "last")
    assert figures["interpolation"].shape == (4, 9, 1, 8, 8)
    ends = noise(1, 8)
    for walk in range(4):
        start, end = ends[walk], ends[4 + walk]
        path = torch.stack([start + step / 8 * (end - start) for step in range(9)])
        actual = torch.from_numpy(figures["interpolation"][walk].reshape(9, 64))
        torch.testing.assert_close(actual, generate(trained, "last", path), **TOLERANCE)


def test_sampling_repeats_itself_byte_for_byte(trained: Project) -> None:
    first = run(trained)
    (trained.folder / "seed_0" / "sample.json").unlink()
    assert run(trained).files == first.files


def test_only_reported_states_are_sampled(trained: Project) -> None:
    trained.settings["evaluation"] |= {"checkpoints": ["last"]}
    trained.write()
    assert run(trained).files.keys() == {"samples_last.npy", "figures_last.npz"}


@pytest.mark.parametrize("status", ["diverged", "data_not_available"])
def test_why_there_is_no_generator_is_passed_on(project: Project, status: str) -> None:
    project.job("train").record(status=status, message="why")
    record = run(project)
    assert (record.stage, record.status, record.message) == ("sample", status, "why")
    assert (record.files, list(record.inputs)) == ({}, ["train.json"])


@pytest.mark.parametrize("change", [{"learning_rate": 0.2}, {"batch_size": 400}])
def test_a_generator_of_other_settings_is_refused(
    trained: Project, change: dict[str, float]
) -> None:
    trained.settings["training"] |= change
    trained.write()
    message = (
        r"train\.json: was trained with other settings or another seed than \S+tiny\.yaml and 0; "
        "run `ganbench train` again"
    )
    with pytest.raises(GanbenchError, match=message):
        run(trained)


def test_a_generator_of_another_seed_is_refused(trained: Project) -> None:
    (trained.folder / "seed_0").rename(trained.folder / "seed_1")
    with pytest.raises(GanbenchError, match=r"another seed than \S+tiny\.yaml and 1; run"):
        run(trained, seed=1)


def test_a_generator_that_its_record_does_not_describe_is_refused(
    trained: Project, tampered: Callable[[Path], None]
) -> None:
    path = trained.folder / "seed_0" / "generator_last.safetensors"
    tampered(path)
    with pytest.raises(GanbenchError) as error:
        run(trained)
    assert str(error.value).startswith(
        f"{path}: is not the file that train.json describes (sha256 {file_sha256(path)[:12]}..., "
    )
    path.unlink()
    with pytest.raises(GanbenchError, match=r"generator_last\.safetensors: is missing; delete"):
        run(trained)


def test_other_pixels_than_in_training_are_refused(trained: Project) -> None:
    path = trained.folder / "seed_0" / "train.json"
    record = json.loads(path.read_text())
    record["datasets"]["train"] = "f" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(GanbenchError, match=r"train\.json: was made from other pixels than those"):
        run(trained)


def test_a_missing_or_spoilt_record_is_refused(project: Project) -> None:
    with pytest.raises(GanbenchError, match=r"train\.json: cannot be read \(No such file.*; run"):
        run(project)
    out = project.job("train").out
    project.job("train").record(status="diverged")
    out.write_text(json.dumps(json.loads(out.read_text()) | {"stage": "training"}))
    with pytest.raises(GanbenchError, match=r"train\.json: stage: not a result record of version"):
        run(project)
