"""`ganbench score`: everything that is measured, for anybody's samples or for a suite's own."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from ganbench.config import settings_digest
from ganbench.data import overlaps, sample_files
from ganbench.data.datasets import LOADERS, Dataset, load, split_digests
from ganbench.data.fetch import data_directory
from ganbench.data.rows import Images
from ganbench.errors import DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen
from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.parzen import Protocol
from ganbench.evaluation.yardstick import Yardstick
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, companion, provenance, read_record
from ganbench.stages.calibrate import training_order
from ganbench.stages.context import Job, impl_used, resolve_device
from ganbench.stages.likelihood import Labels, Likelihood, ToRows

HELD_OUT = 4  # of so many training images one is held out for the control
BLURRED = 4  # fresh images whose mean is a blurred one
MOST_DRAWS = 5  # of the protocol's samples, from one file


def score_samples(
    samples: Path | str | np.ndarray | Tensor,
    dataset: str,
    protocol: str = "gan2014",
    data_dir: Path | None = None,
    device: str = "auto",
    allow_copies: bool = False,
) -> Record:
    """Returns likelihood and every measure beyond it of samples, and of controls beside them.

    The controls are training images held out, in the measures beyond likelihood, and training
    images, in the likelihood (the first draw of `ganbench evaluate --calibration`). Of data in
    folds, the likelihood is over all of them and the rest is of the first.

    Args:
        samples: pixels in [0, 1], or a file of them (see `sample_files.read`). The first as many
            as the protocol takes are measured; up to four times as many more are further draws of
            the likelihood.
        dataset: a data set's name.
        protocol: a name of `ganbench.evaluation.parzen.PROTOCOLS`.
        data_dir: the data directory; else $GANBENCH_DATA, else the user's cache.
        device: "auto", "cpu" or "cuda".
        allow_copies: go on though samples are images of the data set.

    Raises:
        GanbenchError: names, samples or data are not what they should be.
    """
    started = time.time()
    samples = Path(samples) if isinstance(samples, str) else samples
    where = str(samples) if isinstance(samples, Path) else "samples"
    _known("--dataset", dataset, LOADERS)
    _known("--protocol", protocol, parzen.PROTOCOLS)
    device = resolve_device(device)
    data = load(dataset, data_directory(data_dir))
    counts = [_count("shared_images", overlaps.shared_images(data), "data")]
    rows, given = _rows(samples, data, parzen.PROTOCOLS[protocol].samples, where)
    counts.append(_count("samples_given", given, "samples", len(rows)))
    if not allow_copies:
        overlaps.refuse_copies(rows, data, where)

    def to_rows(raw: np.ndarray) -> Tensor:
        return Images(torch.from_numpy(raw).to(device), data.scale, "unit_interval").rows()

    scorer = Scorer(data, parzen.PROTOCOLS[protocol], to_rows, dataset)
    config = {"dataset": dataset, "protocol": protocol, "allow_copies": allow_copies}
    return Record(
        stage="score",
        suite="by_hand",
        experiment=dataset,
        config=config,
        config_digest=settings_digest(config),
        inputs=_digests(samples),
        datasets=split_digests(data),
        metrics=[
            *_likelihoods(scorer, rows.to(device)),
            *_beyond(scorer, rows.to(device)),
            *counts,
        ],
        provenance=provenance(
            "score", started, device, torch.get_num_threads(), impl_used(), "float32"
        ),
    )


def _likelihoods(scorer: "Scorer", rows: Float32[Tensor, "n d"]) -> list[Metric]:
    """Of the samples, of their further draws, and of training images in their place."""
    likelihood = Likelihood(scorer.dataset, scorer.protocol, scorer.to_rows, scorer.title)
    count, train = scorer.protocol.samples, scorer.dataset.train
    first, *further = rows.split(count)
    metrics = likelihood.metrics(first, {"source": "samples"})
    for draw, others in enumerate(further, 1):
        metrics += likelihood.redrawn(others, {"source": "samples", "draw": draw})
    images = scorer.to_rows(train[training_order(len(train))[:count].numpy()])
    return metrics + likelihood.metrics(images, {"source": "training_images"})


def _beyond(scorer: "Scorer", rows: Float32[Tensor, "n d"]) -> list[Metric]:
    yardstick = scorer.yardstick(scorer.dataset.train)
    first = rows[: scorer.protocol.samples]
    metrics = scorer.measured(yardstick, first, {"source": "samples"})
    without, fresh = scorer.held_out(yardstick)
    return metrics + scorer.measured(without, fresh, {"source": "held_out_images"})


def _count(name: str, value: int, source: str, n: int | None = None) -> Metric:
    return Metric(name=name, value=value, unit="images", n=n, labels={"source": source})


def score_suite(
    job: Job,
    seeds: Sequence[int],
    data_dir: Path,
    in_workflow: bool = False,
    like: Path | None = None,
) -> Record:
    """Writes every measure beyond likelihood of the seeds of an experiment, and of three controls.

    The samples are those of the headline's state, from seed_<n>/sample.json beside the record. The
    controls are training images held out (fresh draws), training images, and the held-out images
    each averaged with the three nearest of them (blur that copies nothing).

    Args:
        job: which experiment, and where to write.
        seeds: of its runs; those that failed are left out.
        data_dir: the data directory.
        in_workflow: write a record of missing data instead of raising.
        like: the score of another experiment with the same data, protocol and draws; its controls
            are taken.

    Raises:
        DataNotAvailableError: the data set is missing.
        GanbenchError: samples are not what their record says, or `like` is of something else.
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
    controls, read = job.same_data_metrics(like, digests) if like else ([], {})
    protocol = parzen.PROTOCOLS[job.experiment.evaluation.protocol]
    scorer = Scorer(dataset, protocol, to_rows, job.experiment.title)
    yardstick = scorer.yardstick(dataset.train)
    metrics: list[Metric] = []
    checkpoint = job.experiment.evaluation.checkpoints[0]
    for seed, record in records.items():
        if record.status == "ok":
            file = companion(paths[seed], record, f"samples_{checkpoint}.npy")
            samples = torch.from_numpy(np.load(file, allow_pickle=False)).to(job.device)
            labels: Labels = {"source": "model", "checkpoint": checkpoint, "seed": seed}
            metrics += scorer.measured(yardstick, samples, labels)
    metrics += [one for one in controls if one.labels["source"] != "model"]
    if not like:
        for name, stick, samples in scorer.controls(yardstick):
            metrics += scorer.measured(stick, samples, {"source": name})
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
class Scorer:
    """Measures samplers beyond likelihood, against the first fold of one data set.

    Attributes:
        dataset: gives training, validation and test images.
        protocol: its number of samples is the controls' too, and its grid gives the bandwidth.
        to_rows: stored images to rows on the device.
        title: begins what is printed.
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
        train = self.dataset.train
        held_out, others = np.split(self._order(), [min(self._samples, len(train) // HELD_OUT)])
        without = self.yardstick(train[others], yardstick.classifier)
        return without, self.to_rows(train[held_out])

    def controls(self, yardstick: Yardstick) -> Iterator[tuple[str, Yardstick, Tensor]]:
        """Yields samplers whose faults are known, and what each is measured by."""
        without, fresh = self.held_out(yardstick)
        nearest = torch.cdist(fresh, fresh).topk(BLURRED, largest=False).indices
        yield "held_out_images", without, fresh
        yield "blurred_images", without, fresh[nearest].mean(1)
        known = self.dataset.train[self._order()[: self._samples]]
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
        print(f"{self.title}: {labels}: {len(metrics)} measures", flush=True)
        return metrics

    @property
    def _samples(self) -> int:
        return self.protocol.samples

    def _order(self) -> np.ndarray:
        return np.random.default_rng(0).permutation(len(self.dataset.train))


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


def _known(option: str, name: str, names: dict) -> None:
    if name not in names:
        raise GanbenchError(f"{option}: got {name!r}; give one of {', '.join(sorted(names))}")


def _rows(
    samples: Path | np.ndarray | Tensor, data: Dataset, count: int, where: str
) -> tuple[Float32[Tensor, "n d"], int]:
    """Whole draws of the protocol's number, and how many samples were given."""
    if isinstance(samples, Path):
        array = sample_files.read(samples)
    else:
        array = np.asarray(samples.detach().cpu() if isinstance(samples, Tensor) else samples)
    _, channels, height, width = data.train.shape
    shape = (channels, height, width)
    rows = sample_files.rows(array, shape, data.scale, count, where, MOST_DRAWS)
    return rows, len(array)


def _digests(samples: Path | np.ndarray | Tensor) -> dict[str, str]:
    """Of the file, or of each file of the folder."""
    if not isinstance(samples, Path):
        return {}
    files = sorted(samples.glob("*.png")) if samples.is_dir() else [samples]
    return {file.name: file_sha256(file) for file in files}
