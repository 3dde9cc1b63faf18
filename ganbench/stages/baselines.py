"""`ganbench baselines`: the log-likelihood that samplers which learn nothing reach."""

from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from ganbench import seeding
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError
from ganbench.evaluation import baselines
from ganbench.records import Metric, Record
from ganbench.stages.context import Job
from ganbench.stages.likelihood import Labels, Likelihood, curve_parts

MOST_TRAINING_IMAGES = 50_000
# Sub-streams of `subset`; those of the draws of training images are their numbers.
GAUSSIAN, UNIFORM = 1_000, 1_001


def measure_baselines(
    job: Job, data_dir: Path, in_workflow: bool = False, like: Path | None = None
) -> Record:
    """Scores training images, k-means centres, a Gaussian and noise as if they were samples.

    Args:
        job: which experiment, and where to write.
        data_dir: the data directory.
        in_workflow: write a record of missing data instead of raising.
        like: the baselines record of another experiment with the same data, protocol and draws;
            its numbers are copied instead of measured again.

    Raises:
        DataNotAvailableError: the data set is missing.
        GanbenchError: `like` was made with other data, protocol or draws.
    """
    try:
        dataset, digests = job.load_data(data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        return job.record(status="data_not_available", message=str(error))
    if like:
        metrics, inputs = job.same_data_metrics(like, digests)
        return job.record(metrics=metrics, datasets=digests, inputs=inputs)
    likelihood = Likelihood.of(job, dataset)
    metrics = _training_images(job, dataset, likelihood) + _others(job, dataset, likelihood)
    return job.record(metrics=metrics, datasets=digests)


def _training_images(job: Job, dataset: Dataset, likelihood: Likelihood) -> list[Metric]:
    """Training images as samples: several draws, and a growing number of images."""
    train = job.images(dataset, dataset.train)
    labels: Labels = {"checkpoint": "training_images"}
    count = likelihood.protocol.samples
    order = training_order(len(train))
    metrics = likelihood.metrics(train.rows(order[:count]), labels)
    # Where the first draw takes all there are, another would be the same.
    draws = job.experiment.evaluation.draws if count < len(train) else 1
    for draw in range(1, draws):
        other = training_order(len(train), draw)[:count]
        metrics += likelihood.redrawn(train.rows(other), labels | {"draw": draw})
    parts = order.split(curve_parts(min(len(train), MOST_TRAINING_IMAGES)), dim=0)
    return metrics + likelihood.by_samples((train.rows(part) for part in parts), labels)


def training_order(images: int, *draw: int) -> Int64[Tensor, " images"]:
    """Returns the order in which a draw takes training images; the first draw has no number."""
    return torch.randperm(images, generator=seeding.generator(0, "subset", *draw))


def _others(job: Job, dataset: Dataset, likelihood: Likelihood) -> list[Metric]:
    images = job.images(dataset, dataset.train).rows()
    count = likelihood.protocol.samples
    metrics = []
    for centers in baselines.center_counts(len(images)):
        samples = baselines.kmeans_centers(images, centers)
        metrics += likelihood.metrics(samples, {"checkpoint": f"kmeans_{centers}"})
    gaussian = baselines.gaussian_samples(images, count, seeding.generator(0, "subset", GAUSSIAN))
    uniform = baselines.uniform_samples(images, count, seeding.generator(0, "subset", UNIFORM))
    metrics += likelihood.metrics(gaussian, {"checkpoint": "gaussian"})
    return metrics + likelihood.metrics(uniform, {"checkpoint": "uniform_noise"})
