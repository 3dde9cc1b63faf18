"""Further draws of a state, and what the choices behind a likelihood cost."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganbench import seeding
from ganbench.config import load_experiment
from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.errors import GanbenchError
from ganbench.evaluation.parzen import GAN2014
from ganbench.records import read_record
from ganbench.stages.likelihood import Likelihood
from ganbench.stages.sample import load_generator, sample
from ganbench.training import networks
from ganbench.training.sampling import draw_samples

from .conftest import SAMPLES, Project
from .evaluating import CHECKPOINTS, NATS, metrics, run, slow_likelihoods


def write_generators(project: Project) -> None:
    """Random weights in place of trained ones, and the record that describes them."""
    job = project.job("train")
    job.out.parent.mkdir()
    stream = torch.Generator().manual_seed(0)
    train = job.images(digits.load(), digits.load().train)
    for checkpoint in CHECKPOINTS:
        generator = networks.build_generator(
            job.experiment.generator, train.shape, torch.zeros(64), stream
        )
        state = {
            name: torch.randn(value.shape, generator=stream)
            for name, value in generator.state_dict().items()
        }
        save_file(state, job.out.parent / f"generator_{checkpoint}.safetensors")
    job.record(
        files=[f"generator_{checkpoint}.safetensors" for checkpoint in CHECKPOINTS],
        datasets=split_digests(digits.load()),
    )


@pytest.fixture
def drawn(project: Project) -> Project:
    """A project of three draws whose seed 0 is sampled."""
    project.settings["evaluation"]["draws"] = 3
    project.settings["training"]["phases"] = [{"epochs": 2}]
    project.write()
    write_generators(project)
    sample(project.job("sample"), project.folder / "seed_0" / "train.json", project.folder)
    return project


def redraw(project: Project, checkpoint: str, count: int, *indices: int) -> np.ndarray:
    """Samples of a sub-stream of seed 0's sampling."""
    experiment = load_experiment(project.config)
    path = project.folder / "seed_0" / f"generator_{checkpoint}.safetensors"
    images = project.job("sample").images(digits.load(), digits.load().train)
    stream = seeding.generator(0, "sampling", *indices)
    generator = load_generator(path, experiment, images)
    return draw_samples(generator, experiment, count, stream, torch.device("cpu")).numpy()


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_draw_is_a_stream_of_its_own_and_chooses_its_bandwidth(
    drawn: Project, checkpoint: str
) -> None:
    record = run(drawn)
    others = metrics(record.metrics, "redrawn_log_likelihood", checkpoint=checkpoint)
    assert [one.labels["draw"] for one in others] == [1, 2]
    (fold,) = digits.load().folds
    for actual in others:
        samples = redraw(drawn, checkpoint, SAMPLES, 0, int(actual.labels["draw"]))
        means = [slow_likelihoods(fold.validation, samples, s).mean() for s in GAN2014.sigmas]
        sigma = GAN2014.sigmas[int(np.argmax(means))]
        assert actual.labels["sigma"] == sigma
        assert actual.value == pytest.approx(
            slow_likelihoods(fold.test, samples, sigma).mean(), abs=NATS
        )
    (first,) = metrics(record.metrics, "log_likelihood", checkpoint=checkpoint)
    assert len({first.value, *(one.value for one in others)}) == 3
    assert f"generator_{checkpoint}.safetensors" in record.inputs


def test_the_curve_of_the_headline_starts_from_the_samples_at_hand(
    drawn: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganbench.stages.likelihood.CURVE", (100, 300, 500))
    monkeypatch.setattr("ganbench.stages.evaluate.CURVE", (100, 300, 500))
    curve = metrics(run(drawn).metrics, "log_likelihood_by_samples")
    assert {one.labels["checkpoint"] for one in curve} == {"last"}
    assert [one.labels["n_centers"] for one in curve] == [100, 300, 500]
    at_hand = np.load(drawn.folder / "seed_0" / "samples_last.npy")
    fresh = redraw(drawn, "last", 180, 2)
    (fold,) = digits.load().folds
    for one in curve[:2]:
        samples = np.concatenate([at_hand, fresh])[: int(one.labels["n_centers"])]
        expected = slow_likelihoods(fold.test, samples, float(one.labels["sigma"])).mean()
        assert one.value == pytest.approx(expected, abs=NATS)


def test_a_best_state_that_is_the_last_is_scored_once(
    drawn: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drawn.folder / "seed_0"
    files = [f"samples_{checkpoint}.npy" for checkpoint in CHECKPOINTS]
    (folder / files[1]).write_bytes((folder / files[0]).read_bytes())
    weights = read_record(folder / "sample.json").inputs
    drawn.job("sample").record(files=files, inputs=weights, datasets=split_digests(digits.load()))
    scored = []
    monkeypatch.setattr(
        Likelihood,
        "_estimate",
        lambda self, *given, estimate=Likelihood._estimate: (
            scored.append(given) or estimate(self, *given)
        ),
    )
    actual = run(drawn).metrics
    assert len(scored) == 3  # draws, of one state
    last, best = (
        [
            one.model_dump() | {"labels": one.labels | {"checkpoint": ""}}
            for one in actual
            if one.labels["checkpoint"] == checkpoint and one.name != "log_likelihood_by_samples"
        ]
        for checkpoint in CHECKPOINTS
    )
    assert last == best
    assert len(metrics(actual, "redrawn_log_likelihood", checkpoint="best_validation")) == 2


def test_weights_that_were_not_sampled_are_refused(drawn: Project) -> None:
    (drawn.folder / "seed_0" / "train.json").unlink()
    for checkpoint in CHECKPOINTS:
        (drawn.folder / "seed_0" / f"generator_{checkpoint}.safetensors").write_bytes(b"others")
    drawn.job("train").record(
        files=[f"generator_{checkpoint}.safetensors" for checkpoint in CHECKPOINTS]
    )
    with pytest.raises(
        GanbenchError,
        match=r"train\.json: its generator_last\.safetensors is not the one that sample\.json",
    ):
        run(drawn)
