"""`ganbench score`: likelihood and sample metrics of a user's own samples, beside baselines."""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from ganbench.catalogue import DATASETS
from ganbench.config import settings_digest
from ganbench.data import orientation, overlaps, sample_files
from ganbench.data.datasets import Dataset, load, split_digests
from ganbench.data.fetch import data_directory
from ganbench.data.rows import Images
from ganbench.errors import GanbenchError
from ganbench.evaluation import parzen
from ganbench.inputs import shown
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Record, provenance
from ganbench.stages.baselines import training_order
from ganbench.stages.context import impl_used, resolve_device
from ganbench.stages.likelihood import Likelihood
from ganbench.stages.sample_metrics import SampleMeasurer

MOST_DRAWS = 5  # of the protocol's samples, from one file


def score_samples(
    samples: Path | str | np.ndarray | Tensor,
    dataset: str,
    protocol: str = "gan2014",
    data_dir: Path | None = None,
    device: str = "auto",
    allow_copies: bool = False,
) -> Record:
    """Returns the likelihood and the sample metrics of samples, with baselines beside them.

    The baseline of the sample metrics is training images held out from the rest; that of the
    likelihood is training images (the first draw of `ganbench baselines`). For a data set in
    folds, the likelihood uses every fold and the sample metrics use the first.

    Args:
        samples: pixels in [0, 1], or a file of them (see `sample_files.read`). As many as the
            protocol takes, drawn at random, are measured; up to four times as many more are further
            draws of the likelihood.
        dataset: a data set's name.
        protocol: a name of `ganbench.evaluation.parzen.PROTOCOLS`.
        data_dir: the data directory; else $GANBENCH_DATA, else the user's cache.
        device: "auto", "cpu" or "cuda".
        allow_copies: measure the samples even if some are images of the data set.

    Raises:
        GanbenchError: an unknown name, or samples or data that cannot be used.
    """
    started = time.time()
    samples = Path(samples) if isinstance(samples, str) else samples
    where = str(samples) if isinstance(samples, Path) else "samples"
    _known("--dataset", dataset, DATASETS)
    _known("--protocol", protocol, parzen.PROTOCOLS)
    device = resolve_device(device)
    data = load(dataset, data_directory(data_dir))
    counts = [_count("shared_images", overlaps.shared_images(data), "data")]
    rows, given = _rows(samples, data, parzen.PROTOCOLS[protocol].samples, where)
    counts.append(_count("samples_given", given, "samples", len(rows)))
    if not allow_copies:
        overlaps.refuse_copies(rows, data, where)
    if hint := orientation.hint(rows, data):
        print(f"{where}: {hint}", file=sys.stderr)

    def to_rows(raw: np.ndarray) -> Tensor:
        return Images(torch.from_numpy(raw).to(device), data.scale, "unit_interval").rows()

    measurer = SampleMeasurer(data, parzen.PROTOCOLS[protocol], to_rows, dataset)
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
            *_likelihoods(measurer, rows.to(device)),
            *_sample_metrics(measurer, rows.to(device)),
            *counts,
        ],
        provenance=provenance(
            "score", started, device, torch.get_num_threads(), impl_used(), "float32"
        ),
    )


def _likelihoods(measurer: SampleMeasurer, rows: Float32[Tensor, "n d"]) -> list[Metric]:
    """Of the samples, of their further draws, and of training images in their place."""
    likelihood = Likelihood(measurer.dataset, measurer.protocol, measurer.to_rows, measurer.title)
    count, train = measurer.protocol.samples, measurer.dataset.train
    first, *further = rows.split(count)
    metrics = likelihood.metrics(first, {"source": "samples"})
    for draw, others in enumerate(further, 1):
        metrics += likelihood.redrawn(others, {"source": "samples", "draw": draw})
    images = measurer.to_rows(train[training_order(len(train))[:count].numpy()])
    return metrics + likelihood.metrics(images, {"source": "training_images"})


def _sample_metrics(measurer: SampleMeasurer, rows: Float32[Tensor, "n d"]) -> list[Metric]:
    yardstick = measurer.yardstick(measurer.dataset.train)
    first = rows[: measurer.protocol.samples]
    metrics = measurer.measured(yardstick, first, {"source": "samples"})
    without, fresh = measurer.held_out(yardstick)
    return metrics + measurer.measured(without, fresh, {"source": "held_out_images"})


def _count(name: str, value: int, source: str, n: int | None = None) -> Metric:
    return Metric(name=name, value=value, unit="images", n=n, labels={"source": source})


def _known(option: str, name: str, names: dict) -> None:
    if name not in names:
        raise GanbenchError(f"{option}: got {shown(name)}; give one of {', '.join(sorted(names))}")


def _rows(
    samples: Path | np.ndarray | Tensor, data: Dataset, count: int, where: str
) -> tuple[Float32[Tensor, "n d"], int]:
    """Whole draws of the protocol's number, and how many samples were given."""
    if isinstance(samples, Path):
        array = sample_files.read(samples)
    elif isinstance(samples, Tensor):
        array = sample_files.tensor_values(samples, where)
    else:
        array = np.asarray(samples)
    _, channels, height, width = data.train.shape
    shape = (channels, height, width)
    rows = sample_files.rows(array, shape, data.scale, count, where, MOST_DRAWS, shuffled=True)
    return rows, len(array)


def _digests(samples: Path | np.ndarray | Tensor) -> dict[str, str]:
    """Of the file, or of each file of the folder."""
    if not isinstance(samples, Path):
        return {}
    files = sample_files.png_files(samples) if samples.is_dir() else [samples]
    return {file.name: file_sha256(file) for file in files}
