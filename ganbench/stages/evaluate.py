"""`ganbench evaluate`: samples to the Parzen log-likelihood of the test set, by protocol."""

from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import seeding
from ganbench.archives import read_npy
from ganbench.data.datasets import Dataset
from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, companion, read_record
from ganbench.stages.context import Job
from ganbench.stages.likelihood import CURVE, Likelihood, curve_parts
from ganbench.stages.sample import load_sampler
from ganbench.training.sampling import Sampler


def evaluate(job: Job, sample_record: Path, data_dir: Path) -> Record:
    """Scores the samples of each reported state of a generator.

    With several draws, also fresh draws of each state and growing numbers of samples of the first.
    A best state that is the last one has its samples and so its numbers: they are worked out once.

    Args:
        job: whose samples, and where to write.
        sample_record: the record of `ganbench sample`; further draws come from the weights that
            the train.json beside it describes.
        data_dir: the data directory.

    Raises:
        GanbenchError: the samples are of other settings, or are not what their record says.
    """
    sampled = read_record(sample_record)
    if sampled.config_digest != job.experiment.digest or sampled.seed != job.seed:
        raise GanbenchError(
            f"{sample_record}: was sampled with other settings or another seed than {job.config} "
            f"and {job.seed}; run `ganbench sample` again"
        )
    if sampled.status != "ok":
        return job.pass_on(sampled, sample_record)
    dataset = job.load_same_data(data_dir, sampled, sample_record)
    likelihood = Likelihood.of(job, dataset)
    metrics: list[Metric] = []
    inputs = {sample_record.name: file_sha256(sample_record)}
    scored: dict[str, list[Metric]] = {}
    for checkpoint in job.experiment.states:
        name = f"samples_{checkpoint}.npy"
        path = companion(sample_record, sampled, name)
        digest = inputs[name] = sampled.files[name]
        if digest in scored:
            metrics += [_relabelled(one, checkpoint) for one in scored[digest]]
            continue
        samples = torch.from_numpy(read_npy(path, "run `ganbench sample` again"))
        curve: list[Metric] = []
        likelihoods = scored[digest] = likelihood.metrics(samples, {"checkpoint": checkpoint})
        if job.experiment.evaluation.draws > 1:
            weights, sampler = _sampler(job, sample_record, sampled, dataset, checkpoint)
            inputs |= weights
            likelihoods += _redrawn(job, likelihood, sampler, len(samples), checkpoint)
            if not metrics:
                # Twice as many as there are training images show the bias; more cost minutes.
                growing = _growing(job, sampler, samples, min(CURVE[-1], 2 * len(dataset.train)))
                curve = likelihood.by_samples(growing, {"checkpoint": checkpoint})
        metrics += likelihoods + curve
    metrics += _under_further_protocols(job, dataset, sample_record)
    return job.record(metrics=metrics, inputs=inputs, datasets=sampled.datasets)


def _under_further_protocols(job: Job, dataset: Dataset, sample_record: Path) -> list[Metric]:
    """The headline's samples, checked before, scored as other papers did."""
    headline = job.experiment.states[0]
    metrics: list[Metric] = []
    for name in job.experiment.evaluation.further_protocols:
        path = sample_record.with_name(f"samples_{headline}.npy")
        samples = torch.from_numpy(read_npy(path, "run `ganbench sample` again"))
        likelihood = Likelihood.of(job, dataset, name)
        metrics += likelihood.under_protocol(samples, {"checkpoint": headline})
    return metrics


def _relabelled(metric: Metric, checkpoint: str) -> Metric:
    return metric.model_copy(update={"labels": metric.labels | {"checkpoint": checkpoint}})


def _sampler(
    job: Job, sample_record: Path, sampled: Record, dataset: Dataset, checkpoint: str
) -> tuple[dict[str, str], Sampler]:
    """The weights' name and sha256, and what samples them; they are those that were sampled."""
    name = f"generator_{job.experiment.weights_of(checkpoint)}.safetensors"
    train_record = sample_record.with_name("train.json")
    trained = read_record(train_record)
    if trained.files.get(name) != sampled.inputs.get(name):
        raise GanbenchError(
            f"{train_record}: its {name} is not the one that {sample_record.name} sampled; "
            "run `ganbench sample` again"
        )
    path = companion(train_record, trained, name)
    train = job.images(dataset, dataset.train)
    sampler = load_sampler(path, job.experiment, train, checkpoint)
    return {name: trained.files[name]}, sampler


def _redrawn(
    job: Job, likelihood: Likelihood, sampler: Sampler, count: int, checkpoint: str
) -> list[Metric]:
    """Fresh draws of one state."""
    metrics: list[Metric] = []
    for draw in range(1, job.experiment.evaluation.draws):
        again = sampler.draw(count, _stream(job, 0, draw))
        metrics += likelihood.redrawn(again, {"checkpoint": checkpoint, "draw": draw})
    return metrics


def _growing(
    job: Job, sampler: Sampler, samples: Float[Tensor, "n d"], total: int
) -> Iterator[Tensor]:
    """The samples at hand, then fresh ones to `total`, cut where the curve has its points."""
    stream = _stream(job, 2)
    at_hand = samples.to(job.device)
    for size in curve_parts(total):
        part, at_hand = at_hand[:size], at_hand[size:]
        missing = size - len(part)
        if missing:
            part = torch.cat([part, sampler.draw(missing, stream)])
        yield part


def _stream(job: Job, *indices: int) -> torch.Generator:
    """A stretch of the run's sampling stream that `ganbench sample` does not use."""
    assert job.seed is not None
    return seeding.generator(job.seed, "sampling", *indices)
