"""The same samples' log-likelihood by ganbench and by the estimators people would reach for.

Each computes log p(x) = logmeanexp_i(-||x - mu_i||^2 / (2 sigma^2)) - D log(sigma sqrt(2 pi)) of
the same test images under the same centres; the explicit formula in float64 is the truth.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from scipy.special import logsumexp
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity
from torch import Tensor

from ganbench import seeding
from ganbench.checkout import git_state
from ganbench.data import sample_files
from ganbench.data.datasets import load
from ganbench.data.fetch import data_directory
from ganbench.data.rows import Images
from ganbench.errors import GanbenchError
from ganbench.evaluation import parzen
from ganbench.provenance import atomic_path, device_name

TRUTH = "explicit formula, float64"
TOLERANCES: tuple[dict[str, float], ...] = (
    {},
    {"rtol": 1e-4},
    {"rtol": 1e-8},
    {"atol": 1e-10},
)  # of scikit-learn's trees; its defaults promise an exact result
BATCH = 10  # test images of the explicit formula at a time
MIB = 2**20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Columns of the csv, in order.
COLUMNS = ("estimator", "seconds", "extra_mib", "mean_error_nats", "max_error_nats", "reason")
Likelihoods = Float64[np.ndarray, " m"]
Estimator = Callable[[], Likelihoods]


@dataclass(frozen=True)
class Task:
    """What every estimator is given.

    Attributes:
        centers: samples of the model.
        points: test images.
        sigma: the bandwidth, pixel units.
    """

    centers: Tensor
    points: Tensor
    sigma: float


def main(
    out: Path,
    samples: Path | None,
    dataset: str,
    points: int,
    data_dir: Path | None,
) -> None:
    """Writes estimators.csv and estimators.md into a folder.

    Args:
        out: the folder.
        samples: a file of the centres; None for training images.
        dataset: gives validation and test images.
        points: how many of the first test images are scored.
        data_dir: the data directory.
    """
    task = make_task(samples, dataset, points, data_directory(data_dir))
    torch.set_num_threads(1)
    rows = list(compare(task))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    with atomic_path(out / "estimators.csv") as path:
        frame.to_csv(path, index=False, lineterminator="\n")
    what = samples.name if samples else "training images"
    with atomic_path(out / "estimators.md") as path:
        path.write_text(table(frame, task, f"{what} of {dataset}"), encoding="utf-8")


def make_task(samples: Path | None, dataset: str, points: int, data_dir: Path) -> Task:
    """Returns centres, test images and the bandwidth that protocol gan2014 chooses.

    Args:
        samples: a file of the centres; None for the training images of the baseline row.
        dataset: the data set.
        points: of the first test images.
        data_dir: the data directory.
    """
    data, protocol = load(dataset, data_dir), parzen.GAN2014
    shape = tuple(data.train.shape[1:])
    fold = data.folds[0]
    train, validation, test = (
        Images(torch.from_numpy(raw), data.scale, "unit_interval")
        for raw in (data.train, fold.validation, fold.test)
    )
    if samples is None:
        order = torch.randperm(len(train), generator=seeding.generator(0, "subset"))
        centers = train.rows(order[: protocol.samples])
    else:
        array = sample_files.read(samples)
        count = min(len(array), protocol.samples)
        centers = sample_files.rows(array, shape, data.scale, count, str(samples))
    chosen = protocol.validation_images(validation.rows(), len(data.folds))
    choice = parzen.choose_bandwidth(chosen, centers, protocol.sigmas)
    return Task(centers, test.rows(slice(0, points)), choice.sigma)


def compare(task: Task) -> Iterator[dict[str, object]]:
    """Yields a row an estimator: seconds, memory, and errors in nats; or why there are none."""
    truth: Likelihoods | None = None
    for name, estimator in estimators(task).items():
        print(name, flush=True)
        _reset_peak()
        before, start = _memory("VmRSS"), time.process_time()
        try:
            estimate = estimator()
        except (GanbenchError, ValueError) as error:
            first, *_ = " ".join(str(error).split()).split(". ")
            yield {"estimator": name, "reason": first}
            continue
        seconds = time.process_time() - start
        if truth is None:
            truth = estimate
        error = estimate - truth
        yield {
            "estimator": name,
            "seconds": seconds,
            "extra_mib": max(_memory("VmHWM") - before, 0) / MIB,
            "mean_error_nats": error.mean(),
            "max_error_nats": np.abs(error).max(),
            "reason": "",
        }


def estimators(task: Task) -> dict[str, Estimator]:
    """Returns every estimator by its name, the truth first."""
    by_name: dict[str, Estimator] = {
        TRUTH: lambda: explicit(task),
        "ganbench, float32": lambda: ganbench(task),
    }
    every = len(task.centers)
    for tree in ("kd_tree", "ball_tree"):
        for settings in (*TOLERANCES, {"leaf_size": every}):
            words = ", ".join(f"{key}={value}" for key, value in settings.items())
            name = f"scikit-learn KernelDensity, {tree}, {words or 'defaults'}"
            by_name[name] = _scikit_learn(task, tree, settings)
    by_name["scipy gaussian_kde"] = lambda: scipy_kde(task)
    by_name["KeOps"] = lambda: keops(task)
    return by_name


def explicit(task: Task) -> Likelihoods:
    """Returns log p by differences in float64, test image by test image."""
    centers, points = task.centers.double().numpy(), task.points.double().numpy()
    scale = 2 * task.sigma**2
    parts = [
        logsumexp(-((centers[None] - batch[:, None]) ** 2).sum(2) / scale, axis=1)
        for batch in np.array_split(points, max(1, len(points) // BATCH))
    ]
    return np.concatenate(parts) + _normalisation(task)


def _normalisation(task: Task) -> float:
    count, pixels = task.centers.shape
    return float(-np.log(count) - pixels * np.log(task.sigma * np.sqrt(2 * np.pi)))


def ganbench(task: Task) -> Likelihoods:
    """Returns log p as `ganbench evaluate` computes it."""
    return parzen.log_likelihoods(task.points, task.centers, [task.sigma])[0].numpy()


def _scikit_learn(task: Task, tree: str, settings: dict[str, Any]) -> Estimator:
    def estimate() -> Likelihoods:
        density = KernelDensity(bandwidth=task.sigma, algorithm=tree, **settings)
        return density.fit(task.centers.numpy()).score_samples(task.points.numpy())

    return estimate


def scipy_kde(task: Task) -> Likelihoods:
    """Returns log p by scipy, whose kernel is the data's covariance times a factor squared.

    Raises:
        numpy.linalg.LinAlgError: that covariance is singular, as it is where a pixel never changes.
        GanbenchError: it is not, and the kernel is not the protocol's round one.
    """
    density = gaussian_kde(task.centers.double().numpy().T, bw_method=task.sigma)
    kernel, pixels = density.covariance, task.centers.shape[1]
    if not np.allclose(kernel, task.sigma**2 * np.eye(pixels)):
        raise GanbenchError("its kernel is the data's covariance, scaled: another estimator")
    return density.logpdf(task.points.double().numpy().T)


def keops(task: Task) -> Likelihoods:
    """Returns log p by KeOps in float32.

    Raises:
        GanbenchError: it is not installed.
    """
    if importlib.util.find_spec("pykeops") is None:
        raise GanbenchError("not installed")
    from pykeops.torch import LazyTensor  # pyright: ignore[reportMissingImports]

    x, y = LazyTensor(task.points[:, None]), LazyTensor(task.centers[None])
    squares = ((x - y) ** 2).sum(-1) / (2 * task.sigma**2)
    return (-squares).logsumexp(dim=1).double().numpy()[:, 0] + _normalisation(task)


def table(frame: pd.DataFrame, task: Task, what: str) -> str:
    """Returns the comparison in Markdown.

    Args:
        frame: rows of `compare`.
        task: what was estimated.
        what: the centres, in words.
    """
    rows = frame.fillna({"reason": ""}).to_dict("records")
    cells = [_words(row) for row in rows if not row["reason"]]
    reasons = [f"{row['estimator']}: {row['reason']}." for row in rows if row["reason"]]
    heads = ("Estimator", "Mean error (nats)", "Largest error (nats)", "Seconds", "Extra MiB")
    body = pd.DataFrame(cells, columns=list(heads)).to_markdown(index=False, disable_numparse=True)
    commit, _ = git_state()
    versions = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "scipy", "torch"))
    note = (
        "Error of the log-likelihood against the explicit formula, over the first "
        f"{len(task.points)} test images under {len(task.centers)} {what} at sigma "
        f"{task.sigma:.4f}. Processor seconds and peak extra memory on one thread of "
        f"{device_name('cpu')}; {versions}; commit {commit[:12]}."
    )
    return "\n\n".join([body, note, *reasons]) + "\n"


def _words(row: dict[Any, Any]) -> tuple[str, ...]:
    return (
        row["estimator"],
        f"{row['mean_error_nats']:+.2g}",
        f"{row['max_error_nats']:.2g}",
        f"{row['seconds']:.2g}",
        f"{row['extra_mib']:.0f}",
    )


def _reset_peak() -> None:
    """Linux forgets the process's peak memory on request; elsewhere none is known."""
    if CLEAR.exists():
        CLEAR.write_text("5", encoding="utf-8")


def _memory(field: str) -> float:
    """Bytes, by a field of Linux's status file; NaN elsewhere."""
    if not STATUS.exists():
        return float("nan")
    line = next(
        line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith(field)
    )
    return 1024.0 * int(line.split()[1])
