"""`ganbench score`: everything that is measured, for anybody's samples or for a suite's own."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import settings_digest
from ganbench.data import sample_files
from ganbench.data.datasets import LOADERS, Dataset, load, split_digests
from ganbench.data.fetch import data_directory
from ganbench.data.rows import Images
from ganbench.errors import DataError, DataNotAvailableError, GanbenchError
from ganbench.evaluation import parzen, scoring
from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.measures import MEASURES, Estimate
from ganbench.evaluation.yardstick import Yardstick
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, companion, provenance, read_record
from ganbench.stages.context import Job, impl_used, resolve_device

Labels = dict[str, str | int | float]
HELD_OUT = 5  # of so many training images one is held out for the control
BLURRED = 4  # fresh images whose mean is a blurred one
ToRows = Callable[[np.ndarray], Float[Tensor, "n d"]]


def score_samples(
    samples: Path | np.ndarray | Tensor,
    dataset: str,
    protocol: str = "gan2014",
    data_dir: Path | None = None,
    device: str = "auto",
    allow_copies: bool = False,
) -> Record:
    """Returns the likelihood of samples under a protocol and every measure beyond it.

    Of data in folds, the likelihood is over all of them and the rest is of the first.

    Args:
        samples: pixels in [0, 1], or a file of them (see `sample_files.read`); the first as many as
            the protocol takes.
        dataset: a data set's name.
        protocol: a name of `ganbench.evaluation.parzen.PROTOCOLS`.
        data_dir: the data directory; else $GANBENCH_DATA, else the user's cache.
        device: "auto", "cpu" or "cuda".
        allow_copies: go on though samples are images of the data set.

    Raises:
        GanbenchError: names, samples or data are not what they should be.
    """
    started = time.time()
    where = str(samples) if isinstance(samples, Path) else "samples"
    _known("--dataset", dataset, LOADERS)
    _known("--protocol", protocol, parzen.PROTOCOLS)
    device = resolve_device(device)
    data = load(dataset, data_directory(data_dir))
    check_splits(data)
    rows = _rows(samples, data, parzen.PROTOCOLS[protocol].samples, where)
    if not allow_copies:
        refuse_copies(rows, data, where)

    def to_rows(raw: np.ndarray) -> Tensor:
        return Images(torch.from_numpy(raw).to(device), data.scale, "unit_interval").rows()

    rows = rows.to(device)
    found, likelihood = _likelihood(rows, data, protocol, to_rows)
    beyond = _yardstick(data, data.train, to_rows).measure(rows, found.folds[0].sigma)
    config = {"dataset": dataset, "protocol": protocol, "allow_copies": allow_copies}
    return Record(
        stage="score",
        suite="by_hand",
        experiment=dataset,
        config=config,
        config_digest=settings_digest(config),
        inputs=_digests(samples),
        datasets=split_digests(data),
        metrics=[*likelihood, *_metrics(beyond, {})],
        provenance=provenance(
            "score", started, device, torch.get_num_threads(), impl_used(), "float32"
        ),
    )


def score_suite(
    job: Job, seeds: Sequence[int], data_dir: Path, in_workflow: bool = False
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

    Raises:
        DataNotAvailableError: the data set is missing.
        GanbenchError: samples are not what their record says.
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
    yardstick = _yardstick(dataset, dataset.train, to_rows)
    metrics: list[Metric] = []
    checkpoint = job.experiment.evaluation.checkpoints[0]
    for seed, record in records.items():
        if record.status == "ok":
            file = companion(paths[seed], record, f"samples_{checkpoint}.npy")
            samples = torch.from_numpy(np.load(file, allow_pickle=False)).to(job.device)
            labels: Labels = {"source": "model", "checkpoint": checkpoint, "seed": seed}
            metrics += _measured(job, dataset, yardstick, samples, to_rows, labels)
    for name, stick, samples in _controls(job, dataset, yardstick, to_rows):
        metrics += _measured(job, dataset, stick, samples, to_rows, {"source": name})
    return job.record(metrics=metrics, inputs=inputs, datasets=digests)


def _sampled(job: Job, path: Path, seed: int, digests: dict[str, str]) -> Record:
    record = read_record(path)
    same = record.config_digest == job.experiment.digest and record.seed == seed
    if not same or (record.status == "ok" and record.datasets != digests):
        raise GanbenchError(
            f"{path}: was sampled with other settings, another seed or other data than {job.config}"
            f", {seed} and the data now; run `ganbench sample` again"
        )
    return record


def _controls(
    job: Job, dataset: Dataset, yardstick: Yardstick, to_rows: ToRows
) -> Iterator[tuple[str, Yardstick, Tensor]]:
    """Samplers whose faults are known, and what each is measured by."""
    order = np.random.default_rng(0).permutation(len(dataset.train))
    count = parzen.PROTOCOLS[job.experiment.evaluation.protocol].samples
    held_out, others = np.split(order, [min(count, len(order) // HELD_OUT)])
    fresh = to_rows(dataset.train[held_out])
    without = _yardstick(dataset, dataset.train[others], to_rows, yardstick.classifier)
    nearest = torch.cdist(fresh, fresh).topk(BLURRED, largest=False).indices
    yield "held_out_images", without, fresh
    yield "blurred_images", without, fresh[nearest].mean(1)
    yield "training_images", yardstick, to_rows(dataset.train[order[:count]])


def _measured(
    job: Job, dataset: Dataset, stick: Yardstick, samples: Tensor, to_rows: ToRows, labels: Labels
) -> list[Metric]:
    protocol = parzen.PROTOCOLS[job.experiment.evaluation.protocol]
    folds = len(dataset.folds)
    validation = protocol.validation_images(to_rows(dataset.folds[0].validation), folds)
    sigma = parzen.choose_bandwidth(validation, stick.some(samples), protocol.grid(folds)).sigma
    metrics = _metrics(stick.measure(samples, sigma), labels)
    print(f"{job.experiment.title}: {labels}: {len(metrics)} measures", flush=True)
    return metrics


def _yardstick(
    dataset: Dataset,
    train: np.ndarray,
    to_rows: ToRows,
    classifier: Classifier | None = None,
) -> Yardstick:
    """Against the first fold; with a classifier where the data have classes."""
    fold, labels = dataset.folds[0], dataset.train_labels
    rows, fresh = to_rows(train), to_rows(fold.test)
    if classifier is None and labels is not None and fold.test_labels is not None:
        classifier = Classifier(rows, labels, fresh, fold.test_labels)
    return Yardstick(rows, fresh, 0.5 / dataset.scale, classifier)


def _metrics(estimates: Sequence[Estimate], labels: Labels) -> list[Metric]:
    return [
        Metric(
            name=one.name,
            value=one.value,
            unit=MEASURES[one.name].unit,
            standard_error=one.standard_error,
            interval=one.interval,
            n=one.n,
            labels=labels | one.labels,
        )
        for one in estimates
    ]


def _likelihood(
    rows: Float[Tensor, "n d"], data: Dataset, protocol: str, to_rows: ToRows
) -> tuple[scoring.Score, list[Metric]]:
    validation = [to_rows(fold.validation) for fold in data.folds]
    test = [to_rows(fold.test) for fold in data.folds]
    found = scoring.score(validation, test, rows, parzen.PROTOCOLS[protocol])
    labels: Labels = {"protocol": found.protocol, "n_centers": found.n_centers}
    sigmas = {fold.sigma for fold in found.folds}
    tested = sum(len(images) for images in test)
    values = {
        "log_likelihood": (found.log_likelihood, found.standard_error, tested),
        "grid_penalty": (found.grid_penalty, None, None),
        "bandwidth_error": (found.bandwidth_error, None, None),
    }
    return found, [
        Metric(
            name=name,
            value=value,
            unit="nats",
            standard_error=error,
            n=n,
            labels=labels | {"sigma": min(sigmas), "sigma_max": max(sigmas)},
        )
        for name, (value, error, n) in values.items()
    ]


def _known(option: str, name: str, names: dict) -> None:
    if name not in names:
        raise GanbenchError(f"{option}: got {name!r}; give one of {', '.join(sorted(names))}")


def _rows(
    samples: Path | np.ndarray | Tensor, data: Dataset, count: int, where: str
) -> Float[Tensor, "n d"]:
    if isinstance(samples, Path):
        array = sample_files.read(samples)
    else:
        array = np.asarray(samples.detach().cpu() if isinstance(samples, Tensor) else samples)
    _, channels, height, width = data.train.shape
    return sample_files.rows(array, (channels, height, width), data.scale, count, where)


def _digests(samples: Path | np.ndarray | Tensor) -> dict[str, str]:
    """Of the file, or of each file of the folder."""
    if not isinstance(samples, Path):
        return {}
    files = sorted(samples.glob("*.png")) if samples.is_dir() else [samples]
    return {file.name: file_sha256(file) for file in files}


def check_splits(data: Dataset) -> None:
    """Refuses a data set whose test images choose the bandwidth.

    Raises:
        DataError: a fold's validation and test images share some.
    """
    for number, fold in enumerate(data.folds):
        shared = len(_bytes(fold.validation) & _bytes(fold.test))
        if shared:
            raise DataError(
                f"{data.name}: fold {number}: {shared} validation images are test images too; "
                "give each image to one split"
            )


def refuse_copies(rows: Float[Tensor, "n d"], data: Dataset, where: str) -> None:
    """Refuses samples that are images of the data set, when stored as it is.

    Raises:
        GanbenchError: says how many, and of which split.
    """
    raw = (rows * data.scale).round().to(torch.uint8).numpy()
    splits = {"training": [data.train]}
    splits["validation"] = [fold.validation for fold in data.folds]
    splits["test"] = [fold.test for fold in data.folds]
    for split, parts in splits.items():
        known = set().union(*map(_bytes, parts))
        count = sum(row.tobytes() in known for row in raw)
        if count:
            raise GanbenchError(
                f"{where}: {count} of {len(raw)} samples are {split} images of {data.name}, pixel "
                "by pixel; give the model's own, or --allow-copies to score them as they are"
            )


def _bytes(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}
