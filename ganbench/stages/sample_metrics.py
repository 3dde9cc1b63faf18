"""`ganbench sample-metrics`: memorisation, coverage and two-sample tests of a suite's samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.archives import read_npy
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen
from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.parzen import Protocol
from ganbench.evaluation.yardstick import Yardstick
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, companion, read_record
from ganbench.stages.context import Job
from ganbench.stages.likelihood import Labels, ToRows

HELD_OUT = 4  # one training image in so many is held out as a baseline
BLURRED = 4  # held-out images whose mean is one blurred image


def measure_samples(
    job: Job,
    seeds: Sequence[int],
    data_dir: Path,
    in_workflow: bool = False,
    like: Path | None = None,
) -> Record:
    """Writes the sample metrics of the seeds of an experiment, and of three baselines.

    The samples are those of the headline's state, from seed_<n>/sample.json beside the record. The
    baselines are held-out training images (fresh draws), training images, and the held-out images
    each averaged with the three nearest of them (blurred, but copies of nothing).

    Args:
        job: which experiment, and where to write.
        seeds: of its runs; those that failed are left out.
        data_dir: the data directory.
        in_workflow: write a record of missing data instead of raising.
        like: the sample metrics of another experiment with the same data, protocol and draws; its
            baselines are copied instead of measured again.

    Raises:
        DataNotAvailableError: the data set is missing.
        GanbenchError: samples are not what their record says, or `like` was made with other
            data, protocol or draws.
    """
    try:
        dataset, digests = job.load_data(data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        return job.record(status="data_not_available", message=str(error))

    def to_rows(raw: np.ndarray) -> Tensor:
        return job.images(dataset, raw).rows()

    paths = {seed: job.out.parent / f"seed_{seed}" / "sample.json" for seed in seeds}
    records = {seed: _sampled(job, path, seed, digests) for seed, path in paths.items()}
    inputs = {f"{path.parent.name}/{path.name}": file_sha256(path) for path in paths.values()}
    baselines, read = job.same_data_metrics(like, digests) if like else ([], {})
    protocol = parzen.PROTOCOLS[job.experiment.evaluation.protocol]
    measurer = SampleMeasurer(dataset, protocol, to_rows, job.experiment.title)
    yardstick = measurer.yardstick(dataset.train)
    metrics: list[Metric] = []
    checkpoint = job.experiment.evaluation.checkpoints[0]
    for seed, record in records.items():
        if record.status == "ok":
            file = companion(paths[seed], record, f"samples_{checkpoint}.npy")
            samples = torch.from_numpy(read_npy(file, "run `ganbench sample` again")).to(job.device)
            labels: Labels = {"source": "model", "checkpoint": checkpoint, "seed": seed}
            metrics += measurer.measured(yardstick, samples, labels)
    metrics += [one for one in baselines if one.labels["source"] != "model"]
    if not like:
        for name, stick, samples in measurer.baselines(yardstick):
            metrics += measurer.measured(stick, samples, {"source": name})
    return job.record(metrics=metrics, inputs=inputs | read, datasets=digests)


def _sampled(job: Job, path: Path, seed: int, digests: dict[str, str]) -> Record:
    record = read_record(path)
    same = record.config_digest == job.experiment.digest and record.seed == seed
    if not same or (record.status == "ok" and record.datasets != digests):
        raise GanbenchError(
            f"{path}: was sampled with other settings, another seed or other data than {job.config}"
            f", {seed} and the data now; run `ganbench sample` again"
        )
    return record


@dataclass(frozen=True)
class SampleMeasurer:
    """Computes the sample metrics of samplers, against the first fold of one data set.

    Attributes:
        dataset: gives training, validation and test images.
        protocol: its number of samples is also the baselines', and its grid gives the bandwidth.
        to_rows: stored images to rows on the device.
        title: begins each printed line.
    """

    dataset: Dataset
    protocol: Protocol
    to_rows: ToRows
    title: str

    def yardstick(self, train: np.ndarray, classifier: Classifier | None = None) -> Yardstick:
        """Returns the data's side of the measures; a classifier where the data have classes."""
        fold, labels = self.dataset.folds[0], self.dataset.train_labels
        rows, fresh = self.to_rows(train), self.to_rows(fold.test)
        if classifier is None and labels is not None and fold.test_labels is not None:
            classifier = Classifier(rows, labels, fresh, fold.test_labels)
        return Yardstick(rows, fresh, 0.5 / self.dataset.scale, classifier)

    def held_out(self, yardstick: Yardstick) -> tuple[Yardstick, Float[Tensor, "n d"]]:
        """Returns training images as a perfect sampler's, and a yardstick that lacks them."""
        held_out, others = self._split()
        without = self.yardstick(self.dataset.train[others], yardstick.classifier)
        return without, self.to_rows(self.dataset.train[held_out])

    def baselines(self, yardstick: Yardstick) -> Iterator[tuple[str, Yardstick, Tensor]]:
        """Yields samplers whose faults are known, and what each is measured by."""
        without, fresh = self.held_out(yardstick)
        nearest = torch.cdist(fresh, fresh).topk(BLURRED, largest=False).indices
        yield "held_out_images", without, fresh
        yield "blurred_images", without, fresh[nearest].mean(1)
        # Others than the held-out ones: the same images would score the same against the test set.
        _, others = self._split()
        known = self.dataset.train[others[: self._samples]]
        yield "training_images", yardstick, self.to_rows(known)

    def measured(
        self, stick: Yardstick, samples: Float[Tensor, "n d"], labels: Labels
    ) -> list[Metric]:
        """Returns every measure, at the bandwidth of the samples that are looked at."""
        folds = len(self.dataset.folds)
        images = self.to_rows(self.dataset.folds[0].validation)
        validation, grid = self.protocol.validation_images(images, folds), self.protocol.grid(folds)
        sigma = parzen.choose_bandwidth(validation, stick.first_n(samples), grid).sigma
        metrics = [_metric(one, labels) for one in stick.measure(samples, sigma)]
        sampler = " ".join(str(label).replace("_", " ") for label in labels.values())
        print(f"{self.title}, {sampler}: {len(metrics)} measures", flush=True)
        return metrics

    @property
    def _samples(self) -> int:
        return self.protocol.samples

    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the held-out training images, and of all others."""
        count = len(self.dataset.train)
        order = np.random.default_rng(0).permutation(count)
        held_out, others = np.split(order, [min(self._samples, count // HELD_OUT)])
        return held_out, others


def _metric(one: Estimate, labels: Labels) -> Metric:
    return Metric(
        name=one.name,
        value=one.value,
        unit=MEASURES[one.name].unit,
        standard_error=one.standard_error,
        interval=one.interval,
        n=one.n,
        labels=labels | one.labels,
    )
