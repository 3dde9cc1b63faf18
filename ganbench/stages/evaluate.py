"""`ganbench evaluate`: samples to the Parzen log-likelihood of the test set, by protocol."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench import seeding
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, companion, read_record
from ganbench.stages.context import Job

Labels = dict[str, str | int | float]


def evaluate(job: Job, sample_record: Path, data_dir: Path) -> Record:
    """Scores the samples of each reported state of a generator.

    Args:
        job: whose samples, and where to write.
        sample_record: the record of `ganbench sample`.
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
        return job.pass_on(sampled)
    dataset = job.load_same_data(data_dir, sampled, sample_record)
    metrics: list[Metric] = []
    inputs = {sample_record.name: file_sha256(sample_record)}
    for checkpoint in job.experiment.evaluation.checkpoints:
        name = f"samples_{checkpoint}.npy"
        samples = np.load(companion(sample_record, sampled, name), allow_pickle=False)
        inputs[name] = sampled.files[name]
        metrics += score(job, dataset, torch.from_numpy(samples), {"checkpoint": checkpoint})
    return job.record(metrics=metrics, inputs=inputs, datasets=sampled.datasets)


def calibrate(job: Job, data_dir: Path, in_workflow: bool = False) -> Record:
    """Scores training images as if they were samples: what a perfect memory would get.

    Args:
        job: which experiment, and where to write.
        data_dir: the data directory.
        in_workflow: write a record of missing data instead of raising.

    Raises:
        DataNotAvailableError: the data set is missing.
    """
    try:
        dataset, digests = job.load_data(data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        return job.record(status="data_not_available", message=str(error))
    train = job.images(dataset, dataset.train)
    count = parzen.PROTOCOLS[job.experiment.evaluation.protocol].samples
    chosen = torch.randperm(len(train), generator=seeding.generator(0, "subset"))[:count]
    metrics = score(job, dataset, train.rows(chosen), {"checkpoint": "training_images"})
    return job.record(metrics=metrics, datasets=digests)


def score(
    job: Job, dataset: Dataset, samples: Float[Tensor, "n d"], labels: Labels
) -> list[Metric]:
    """Returns the likelihood of every fold's test images and, over folds, the headline.

    Args:
        job: gives protocol, preprocessing and device.
        dataset: validation and test images.
        samples: the centres.
        labels: go to every metric.
    """
    protocol = parzen.PROTOCOLS[job.experiment.evaluation.protocol]
    labels = labels | {"protocol": protocol.name, "n_centers": len(samples)}
    metrics: list[Metric] = []
    folds: list[Metric] = []
    for number, fold in enumerate(dataset.folds):
        validation = job.images(dataset, fold.validation).rows()
        test = job.images(dataset, fold.test).rows()
        chosen = protocol.validation_images(validation, len(dataset.folds))
        fold_labels = labels | {"fold": number} if len(dataset.folds) > 1 else labels
        found, curve, result = _score_fold(
            chosen, test, samples.to(job.device), protocol, fold_labels
        )
        metrics += curve
        folds.append(result)
        print(
            f"{job.experiment.title}: {labels['checkpoint']}: {result.value:.1f} nats "
            f"at sigma {found.sigma:.4f}",
            flush=True,
        )
    return [*_headline(folds, labels), *metrics]


def _score_fold(
    validation: Tensor, test: Tensor, samples: Tensor, protocol: parzen.Protocol, labels: Labels
) -> tuple[parzen.Bandwidth, list[Metric], Metric]:
    found = parzen.choose_bandwidth(validation, samples, protocol.sigmas)
    curve = [
        Metric(
            name="validation_log_likelihood",
            value=value,
            unit="nats",
            n=len(validation),
            labels=labels | {"sigma": sigma},
        )
        for sigma, value in zip(protocol.sigmas, found.log_likelihoods, strict=True)
    ]
    values = parzen.log_likelihoods(test, samples, [found.sigma], _progress(labels))[0]
    mean, standard_error = parzen.mean_and_standard_error(values)
    result = Metric(
        name="log_likelihood",
        value=mean,
        unit="nats",
        standard_error=standard_error,
        n=len(test),
        labels=labels
        | {"split": "test", "sigma": found.sigma, "sigma_at_grid_edge": int(found.at_grid_edge)},
    )
    return found, curve, result


def _headline(folds: list[Metric], labels: Labels) -> list[Metric]:
    """One fold is its own headline; of several, the mean and the standard error over them."""
    if len(folds) == 1:
        return folds
    mean, standard_error = parzen.over_folds([fold.value for fold in folds])
    headline = Metric(
        name="log_likelihood",
        value=mean,
        unit="nats",
        standard_error=standard_error,
        n=len(folds),
        labels=labels | {"split": "test"},
    )
    return [headline, *(fold.model_copy(update={"name": "fold_log_likelihood"}) for fold in folds)]


def _progress(labels: Labels) -> Callable[[int, int], None]:
    where = " ".join(f"{name} {labels[name]}" for name in ("checkpoint", "fold") if name in labels)

    def show(done: int, total: int) -> None:
        print(f"{where}: {done} of {total} test images", flush=True)

    return show
