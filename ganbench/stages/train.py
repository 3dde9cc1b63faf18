"""`ganbench train`: settings and a seed to a generator, its history and a record."""

import csv
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from safetensors.torch import save_file

from ganbench.config import settings_digest
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError, DivergenceError, GanbenchError
from ganbench.provenance import atomic_path, code_digest
from ganbench.records import Metric, Record
from ganbench.stages.context import Job
from ganbench.training.checkpoints import Checkpoints
from ganbench.training.loop import Run
from ganbench.training.progress import Progress

# A checkpoint may take at most this share of the time between two.
CHECKPOINT_SHARE = 0.05


class InterruptedRunError(GanbenchError):
    """A signal asked the run to stop; its state is saved."""

    exit_code = 143


def train(
    job: Job, data_dir: Path, checkpoint_seconds: float = 60.0, in_workflow: bool = False
) -> Record:
    """Trains one seed, going on from its newest checkpoint, and writes its record.

    Args:
        job: what to train and where to write.
        data_dir: the data directory.
        checkpoint_seconds: shortest time between two checkpoints.
        in_workflow: write a record of missing data or divergence instead of raising.

    Raises:
        DataNotAvailableError: the data set is missing.
        DivergenceError: a loss or weight is not finite; the record says so all the same.
        InterruptedRunError: SIGTERM or SIGINT came; the state is saved.
    """
    assert job.seed is not None
    torch.set_num_threads(1)
    try:
        dataset, digests = job.load_data(data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        return job.record(status="data_not_available", message=str(error))
    run = _new_run(job, dataset)
    checkpoints = _checkpoints(job, digests)
    _resume(run, checkpoints, job.out.parent)
    earlier_s = run.counters.seconds
    try:
        _run_to_the_end(run, checkpoints, job, checkpoint_seconds)
    except DivergenceError as error:
        record = job.record(
            status="diverged",
            message=str(error),
            metrics=_metrics(run),
            files=["history.csv"] if run.counters.history else [],
            datasets=digests,
            earlier_s=earlier_s,
        )
        checkpoints.remove()
        if not in_workflow:
            raise
        return record
    files = ["history.csv", *_write_generators(run, job.out.parent)]
    record = job.record(metrics=_metrics(run), files=files, datasets=digests, earlier_s=earlier_s)
    checkpoints.remove()
    return record


def _new_run(job: Job, dataset: Dataset) -> Run:
    fold = dataset.folds[0]
    return Run(
        job.experiment,
        job.seed or 0,
        job.images(dataset, dataset.train),
        job.images(dataset, fold.validation).rows(),
        len(dataset.folds),
        job.device,
    )


def _checkpoints(job: Job, datasets: dict[str, str]) -> Checkpoints:
    """Other settings, code, data or seed have a folder of their own and never meet."""
    digest = settings_digest(
        [job.experiment.training_digest, code_digest("train"), datasets, job.seed]
    )
    return Checkpoints(job.out.parent / "checkpoints" / digest[:16], digest)


def _resume(run: Run, checkpoints: Checkpoints, folder: Path) -> None:
    """Goes on from the newest checkpoint; the history file may be gone, or ahead of it."""
    found = checkpoints.load_newest()
    if found:
        run.restore(*found)
        _write_history(run, folder)
        counters = run.counters
        print(f"resuming after update {counters.updates} (epoch {counters.epoch})", flush=True)


def _run_to_the_end(
    run: Run, checkpoints: Checkpoints, job: Job, checkpoint_seconds: float
) -> None:
    started = saved = time.monotonic()
    cost = 0.0
    earlier_s = run.counters.seconds

    def save() -> None:
        nonlocal saved, cost
        began = time.monotonic()
        run.counters.seconds = earlier_s + began - started
        checkpoints.save(run.counters.updates, *run.state())
        saved = time.monotonic()
        cost = saved - began

    def after_update() -> None:
        progress.update(run)
        if signals:
            save()
            raise InterruptedRunError(
                f"stopped by signal {signals[0]} after update {run.counters.updates}; "
                "run the same command again to go on"
            )
        if time.monotonic() - saved >= max(checkpoint_seconds, cost / CHECKPOINT_SHARE):
            save()

    title = f"{job.experiment.title}, seed {job.seed}"
    with _noted_signals() as signals, Progress(title, run) as progress:
        while not run.finished:
            progress.epoch(run.run_epoch(after_update))
            _write_history(run, job.out.parent)
            after_update()
        run.counters.seconds = earlier_s + time.monotonic() - started


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Turns SIGTERM and SIGINT into a note that the loop reads between updates."""
    noted: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        noted.append(number)

    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield noted
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _write_history(run: Run, folder: Path) -> None:
    history = run.counters.history
    if history:
        with (
            atomic_path(folder / "history.csv") as temporary,
            open(temporary, "w", newline="") as file,
        ):
            writer = csv.DictWriter(file, list(history[0]))
            writer.writeheader()
            writer.writerows(history)


def _write_generators(run: Run, folder: Path) -> list[str]:
    network = run.generator.network
    weights = {
        "last": (run.counters.epoch, dict(network.named_parameters())),
        "best_validation": (run.counters.best_epoch, run.best),
    }
    names = []
    for checkpoint, (epoch, tensors) in weights.items():
        names.append(f"generator_{checkpoint}.safetensors")
        contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        with atomic_path(folder / names[-1]) as temporary:
            save_file(contiguous, temporary, {"epoch": str(epoch)})
    return names


def _metrics(run: Run) -> list[Metric]:
    counters = run.counters
    metrics = [
        Metric(name="epochs", value=counters.epoch, unit="epochs"),
        Metric(name="updates", value=counters.updates, unit="updates"),
    ]
    if counters.updates and counters.seconds:
        value = counters.seconds / counters.updates
        metrics.append(Metric(name="seconds_per_update", value=value, unit="s"))
    if run.finished:
        metrics += [
            Metric(
                name="validation_log_likelihood",
                value=value,
                unit="nats",
                n=len(run.validation),
                labels={"checkpoint": checkpoint, "epoch": epoch},
            )
            for checkpoint, epoch, value in (
                ("last", counters.epoch, counters.history[-1]["validation_log_likelihood"]),
                ("best_validation", counters.best_epoch, counters.best_log_likelihood),
            )
            if value is not None
        ]
    return metrics
