"""Likelihoods of samples and of training images, and their records."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ganbench.data import digits
from ganbench.data.datasets import split_digests
from ganbench.data.splits import Dataset, Fold
from ganbench.errors import GanbenchError
from ganbench.evaluation.parzen import GAN2014
from ganbench.provenance import file_sha256
from ganbench.records import read_record
from ganbench.stages.likelihood import Likelihood

from .conftest import SAMPLES, Project
from .evaluating import CHECKPOINTS, NATS, metrics, run, slow_likelihoods


@pytest.fixture
def sampled(project: Project) -> Project:
    """A project whose samples are blurred training images."""
    job = project.job("sample")
    job.out.parent.mkdir()
    images = digits.load().train.reshape(-1, 64).astype(np.float32) / 16
    for number, checkpoint in enumerate(CHECKPOINTS):
        chosen = images[number * SAMPLES : (number + 1) * SAMPLES]
        np.save(job.out.parent / f"samples_{checkpoint}.npy", 0.8 * chosen + 0.1)
    job.record(
        files=[f"samples_{checkpoint}.npy" for checkpoint in CHECKPOINTS],
        datasets=split_digests(digits.load()),
    )
    return project


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_the_test_likelihood_by_the_protocol(sampled: Project, checkpoint: str) -> None:
    record = run(sampled)
    samples = np.load(sampled.folder / "seed_0" / f"samples_{checkpoint}.npy")
    (fold,) = digits.load().folds
    means = [slow_likelihoods(fold.validation, samples, s).mean() for s in GAN2014.sigmas]
    sigma = GAN2014.sigmas[int(np.argmax(means))]
    values = slow_likelihoods(fold.test, samples, sigma)
    (actual,) = metrics(record.metrics, "log_likelihood", checkpoint=checkpoint)
    assert actual.value == pytest.approx(values.mean(), abs=NATS)
    assert actual.standard_error == pytest.approx(values.std() / 300**0.5, rel=1e-4)
    assert (actual.unit, actual.n) == ("nats", 300)
    assert actual.labels == {
        "checkpoint": checkpoint,
        "protocol": "gan2014",
        "n_centers": SAMPLES,
        "split": "test",
        "sigma": sigma,
        "sigma_at_grid_edge": 0,
    }
    curve = metrics(record.metrics, "validation_log_likelihood", checkpoint=checkpoint)
    assert [one.labels["sigma"] for one in curve] == list(GAN2014.sigmas)
    assert [one.value for one in curve] == pytest.approx(means, abs=NATS)
    assert {(one.unit, one.n) for one in curve} == {("nats", 297)}


def test_the_record_names_what_was_read(sampled: Project) -> None:
    record = run(sampled)
    folder = sampled.folder / "seed_0"
    assert read_record(folder / "evaluate.json") == record
    assert (record.stage, record.status, record.seed) == ("evaluate", "ok", 0)
    read = ["sample.json", *(f"samples_{checkpoint}.npy" for checkpoint in CHECKPOINTS)]
    assert record.inputs == {name: file_sha256(folder / name) for name in read}
    assert record.datasets == split_digests(digits.load())


def test_progress_is_shown(sampled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (penalty, _) = metrics(run(sampled).metrics, "grid_penalty")
    shown = capsys.readouterr().out
    assert "last: 300 of 300 test images\n" in shown
    assert "tiny: best_validation: " in shown
    assert f", grid penalty {penalty.value:.1f}\n" in shown


def test_a_bandwidth_at_the_edge_of_the_grid_is_labelled(project: Project) -> None:
    train = torch.from_numpy(digits.load().train.reshape(-1, 64)).float() / 16
    far = train[:50] + 3
    likelihood = Likelihood.of(project.job("evaluate"), digits.load())
    actual = likelihood.metrics(far, {"checkpoint": "last"})
    assert metrics(actual, "log_likelihood")[0].labels["sigma"] == 1.0
    assert metrics(actual, "log_likelihood")[0].labels["sigma_at_grid_edge"] == 1


def test_of_several_folds_the_headline_is_the_mean_over_them(project: Project) -> None:
    whole = digits.load()
    sizes = [(0, 40), (40, 90), (90, 150)]
    folds = tuple(
        Fold(whole.folds[0].validation[a:b], whole.folds[0].test[a:b], None) for a, b in sizes
    )
    dataset = Dataset("digits", 16.0, whole.train, None, folds)
    samples = torch.from_numpy(whole.train[:SAMPLES].reshape(-1, 64)).float() / 16
    actual = Likelihood.of(project.job("evaluate"), dataset).metrics(
        samples, {"checkpoint": "last"}
    )
    per_fold = metrics(actual, "fold_log_likelihood")
    for number, (one, fold) in enumerate(zip(per_fold, folds, strict=True)):
        means = [
            slow_likelihoods(fold.validation, samples.numpy(), s).mean() for s in GAN2014.sigmas
        ]
        sigma = GAN2014.sigmas[int(np.argmax(means))]
        expected = slow_likelihoods(fold.test, samples.numpy(), sigma).mean()
        assert one.value == pytest.approx(expected, abs=NATS)
        assert (one.labels["fold"], one.labels["sigma"], one.n) == (number, sigma, len(fold.test))
    (headline,) = metrics(actual, "log_likelihood")
    values = [one.value for one in per_fold]
    assert headline.value == pytest.approx(np.mean(values), rel=1e-12)
    assert headline.standard_error == pytest.approx(np.std(values, ddof=1) / 3**0.5, rel=1e-12)
    assert headline.n == 3
    assert "sigma" not in headline.labels
    assert len(metrics(actual, "validation_log_likelihood", fold=2)) == 10


@pytest.mark.parametrize("status", ["diverged", "data_not_available"])
def test_why_there_are_no_samples_is_passed_on(project: Project, status: str) -> None:
    project.job("sample").record(status=status, message="why")
    record = run(project)
    assert (record.stage, record.status, record.message) == ("evaluate", status, "why")
    assert record.metrics == []


def test_samples_of_other_settings_or_another_seed_are_refused(sampled: Project) -> None:
    message = (
        r"sample\.json: was sampled with other settings or another seed than \S+tiny\.yaml and "
        "{}; run `ganbench sample` again"
    )
    (sampled.folder / "seed_0").rename(sampled.folder / "seed_1")
    with pytest.raises(GanbenchError, match=message.format(1)):
        run(sampled, seed=1)
    (sampled.folder / "seed_1").rename(sampled.folder / "seed_0")
    sampled.settings["evaluation"] |= {"monitor_every": 2}
    sampled.write()
    with pytest.raises(GanbenchError, match=message.format(0)):
        run(sampled)


def test_samples_that_their_record_does_not_describe_are_refused(
    sampled: Project, tampered: Callable[[Path], None]
) -> None:
    path = sampled.folder / "seed_0" / "samples_last.npy"
    tampered(path)
    with pytest.raises(GanbenchError) as error:
        run(sampled)
    assert str(error.value).startswith(
        f"{path}: is not the file that sample.json describes (sha256 {file_sha256(path)[:12]}..., "
    )
    assert not (sampled.folder / "seed_0" / "evaluate.json").exists()
    path.unlink()
    with pytest.raises(GanbenchError, match=r"samples_last\.npy: is missing; delete \S+ and run"):
        run(sampled)


def test_what_the_grid_costs_and_what_resampling_moves_are_recorded(sampled: Project) -> None:
    record = run(sampled)
    for checkpoint in CHECKPOINTS:
        (penalty,) = metrics(record.metrics, "grid_penalty", checkpoint=checkpoint)
        (error,) = metrics(record.metrics, "bandwidth_error", checkpoint=checkpoint)
        assert (penalty.unit, penalty.n, error.unit, error.n) == ("nats", 297, "nats", 297)
        assert penalty.value > 0
        assert error.value >= 0


def test_further_protocols_score_the_headlines_samples(sampled: Project) -> None:
    plain = run(sampled).metrics
    content = yaml.safe_load(sampled.config.read_text())
    content["evaluation"]["further_protocols"] = ["gmmn2015", "fine"]
    sampled.config.write_text(yaml.safe_dump(content))
    again = sampled.job("sample")
    again.record(
        files=[f"samples_{checkpoint}.npy" for checkpoint in CHECKPOINTS],
        datasets=split_digests(digits.load()),
    )
    record = run(sampled)
    further = metrics(record.metrics, "log_likelihood_under_protocol")
    assert [one.labels["protocol"] for one in further] == [
        "gmmn2015_120_centers",
        "fine_120_centers",
    ]
    assert {one.labels["checkpoint"] for one in further} == {"last"}
    # Nothing else has moved.
    assert [one for one in record.metrics if one not in further] == plain
    samples = torch.from_numpy(np.load(sampled.folder / "seed_0" / "samples_last.npy"))
    for one, name in zip(further, ("gmmn2015", "fine"), strict=True):
        scorer = Likelihood.of(again, digits.load(), name)
        (expected,) = metrics(scorer.metrics(samples, {}), "log_likelihood")
        assert one.value == expected.value
