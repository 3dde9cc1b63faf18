"""`ganbench train`: settings and seeds to generators, histories and records."""

import csv
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from safetensors.torch import save
from torch import Tensor

from ganbench.config import experiment_name, settings_digest
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError, DivergenceError, GanbenchError
from ganbench.evaluation.diversity import COLLAPSED, REFERENCE
from ganbench.numerics import NUMERICS
from ganbench.provenance import atomic_path, locked_folder
from ganbench.records import Metric, Record
from ganbench.stages.context import Job
from ganbench.training import states
from ganbench.training.checkpoints import Check, Checkpoints, State
from ganbench.training.loop import Run
from ganbench.training.progress import Progress

# A checkpoint may take at most this share of the time between two.
CHECKPOINT_SHARE = 0.05
# Shortest time between two writings of the histories of a run whose epochs are shorter.
HISTORY_SECONDS = 5.0


class InterruptedRunError(GanbenchError):
    """A signal asked the run to stop; its state is saved."""

    exit_code = 143


def train(
    jobs: Sequence[Job],
    data_dir: Path,
    checkpoint_seconds: float = 60.0,
    in_workflow: bool = False,
    restart: bool = False,
    checkpoint_dir: Path | None = None,
) -> list[Record]:
    """Trains seeds of one experiment together, each from its newest checkpoint.

    Seeds whose checkpoints stand at different updates train in groups, one after the other.

    Args:
        jobs: what to train and where to write, one a seed.
        data_dir: the data directory.
        checkpoint_seconds: shortest time between two checkpoints.
        in_workflow: write records of missing data or divergence instead of raising.
        restart: delete the runs' checkpoints first.
        checkpoint_dir: a folder below which the checkpoints of each suite, experiment and seed
            have one; None for beside the results.

    Returns:
        The record of each job.

    Raises:
        DataNotAvailableError: the data set is missing.
        DivergenceError: a loss or weight of a seed is not finite; its record says so all the same.
        InterruptedRunError: SIGTERM or SIGINT came; the state is saved.
        GanbenchError: another process trains one of the seeds in the same folder.
    """
    torch.set_num_threads(1)
    try:
        dataset, digests = jobs[0].load_data(data_dir)
    except DataNotAvailableError as error:
        if not in_workflow:
            raise
        return [job.record(status="data_not_available", message=str(error)) for job in jobs]
    records = []
    with ExitStack() as locks:
        places = [_checkpoint_folder(job, checkpoint_dir) for job in jobs]
        for folder in sorted({job.out.parent for job in jobs} | {place.parent for place in places}):
            locks.enter_context(locked_folder(folder))
        # A signal after the last update must not end a run whose record is written.
        signals = locks.enter_context(_noted_signals())
        for group in _groups(jobs, places, dataset, digests, restart):
            records += group.train(dataset, digests, checkpoint_seconds, signals)
    messages = [record.message for record in records if record.status == "diverged"]
    if messages and not in_workflow:
        raise DivergenceError("; ".join(messages))
    return records


@dataclass
class _Group:
    """Seeds that go on from the same update."""

    jobs: list[Job]
    checkpoints: list[Checkpoints]
    states: list[State]

    def train(
        self,
        dataset: Dataset,
        digests: dict[str, str],
        checkpoint_seconds: float,
        signals: list[int],
    ) -> list[Record]:
        run = self._run(dataset)
        earlier_s = run.counters.seconds
        self._run_to_the_end(run, checkpoint_seconds, signals)
        for job, checkpoints in zip(self.jobs, self.checkpoints, strict=True):
            _copy_reported(checkpoints.folder, job.out.parent)
        records = [_record(run, s, job, digests, earlier_s) for s, job in enumerate(self.jobs)]
        for checkpoints in self.checkpoints:
            try:
                checkpoints.remove()
            except GanbenchError as problem:
                print(f"{problem}; the run is done all the same", file=sys.stderr)
        return records

    def _run(self, dataset: Dataset) -> Run:
        """A new run, or the one of the checkpoints; the history may be gone, or ahead of it."""
        job, fold = self.jobs[0], dataset.folds[0]
        run = Run(
            job.experiment,
            [job.seed or 0 for job in self.jobs],
            job.images(dataset, dataset.train),
            job.images(dataset, fold.validation).rows(),
            len(dataset.folds),
            job.device,
        )
        if self.states:
            run.restore(self.states)
            _write_histories(run, self.jobs)
            counters = run.counters
            print(f"resuming after update {counters.updates} (epoch {counters.epoch})", flush=True)
        return run

    def _run_to_the_end(self, run: Run, checkpoint_seconds: float, signals: list[int]) -> None:
        started = saved = time.monotonic()
        cost = 0.0
        earlier_s = run.counters.seconds

        def save() -> None:
            nonlocal saved, cost
            began = time.monotonic()
            run.counters.seconds = earlier_s + began - started
            for s, checkpoints in enumerate(self.checkpoints):
                checkpoints.save(run.counters.updates, *run.state(s))
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

        title = self.jobs[0].experiment.title
        with Progress(title, run) as progress:
            written = time.monotonic()
            while not run.finished:
                progress.epoch(run, run.run_epoch(after_update))
                self._write_reported(run)
                if run.finished or time.monotonic() - written >= HISTORY_SECONDS:
                    _write_histories(run, self.jobs)
                    written = time.monotonic()
                after_update()
            run.counters.seconds = earlier_s + time.monotonic() - started

    def _write_reported(self, run: Run) -> None:
        """Writes the generators of an epoch that is reported, where they outlive a failed job.

        Snakemake deletes the outputs of one, and a resumed run does not pass that epoch again.
        """
        if run.counters.epoch in run.experiment.evaluation.report_epochs:
            for s in run.alive:
                weights = dict(run.generator.networks[s].named_parameters())
                state = f"epoch_{run.counters.epoch}"
                folder = self.checkpoints[s].folder
                _write_generator(folder, state, run.counters.epoch, weights)


def _copy_reported(source: Path, target: Path) -> None:
    """Copies the generators of reported epochs to where the record describes them."""
    for path in source.glob("generator_*.safetensors"):
        with atomic_path(target / path.name) as temporary:
            shutil.copyfile(path, temporary)


def _groups(
    jobs: Sequence[Job],
    places: Sequence[Path],
    dataset: Dataset,
    digests: dict[str, str],
    restart: bool,
) -> list[_Group]:
    """Sorts seeds by the update that their newest checkpoints were saved after."""
    groups: dict[int, _Group] = {}
    for job, place in zip(jobs, places, strict=True):
        checkpoints = _checkpoints(job, place, digests)
        if restart:
            checkpoints.remove(with_orphans=True)
        newest = checkpoints.load_newest(_check(job, dataset))
        if newest is None and checkpoints.orphans():
            names = ", ".join(str(path) for path in checkpoints.orphans())
            print(
                f"{job.out}: starts anew; checkpoints of other settings, numbers or data are not "
                f"used and stay (--restart deletes them): {names}",
                file=sys.stderr,
            )
        updates = newest[1]["counters"]["updates"] if newest else 0
        group = groups.setdefault(updates, _Group([], [], []))
        group.jobs.append(job)
        group.checkpoints.append(checkpoints)
        group.states += [newest] if newest else []
    return list(groups.values())


def _check(job: Job, dataset: Dataset) -> Check:
    shape = job.images(dataset, dataset.train[:0]).shape

    def misfit(state: State) -> str | None:
        return states.misfit(job.experiment, shape, *state)

    return misfit


def _checkpoint_folder(job: Job, checkpoint_dir: Path | None) -> Path:
    """Where a run's checkpoints lie: on a disk of the node they would go with the node."""
    if checkpoint_dir is None:
        return job.out.parent / "checkpoints"
    name = experiment_name(job.config)
    return checkpoint_dir / job.suite / name / f"seed_{job.seed}" / "checkpoints"


def _checkpoints(job: Job, place: Path, datasets: dict[str, str]) -> Checkpoints:
    """Other settings, numbers, data or seed have a folder of their own and never meet."""
    digest = settings_digest(
        [job.experiment.training_digest, NUMERICS["train"], datasets, job.seed]
    )
    return Checkpoints(place / digest[:16], digest)


def _record(run: Run, s: int, job: Job, digests: dict[str, str], earlier_s: float) -> Record:
    progress = run.progress[s]
    files = ["history.csv"] if progress.history else []
    if progress.failure is None:
        files += _write_generators(run, s, job.out.parent)
    return job.record(
        status="ok" if progress.failure is None else "diverged",
        message=progress.failure or "",
        metrics=_metrics(run, s),
        files=files,
        datasets=digests,
        earlier_s=earlier_s,
    )


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


def _write_histories(run: Run, jobs: Sequence[Job]) -> None:
    for job, progress in zip(jobs, run.progress, strict=True):
        if progress.history:
            with (
                atomic_path(job.out.parent / "history.csv") as temporary,
                open(temporary, "w", encoding="utf-8", newline="") as file,
            ):
                writer = csv.DictWriter(file, list(progress.history[0]))
                writer.writeheader()
                writer.writerows(progress.history)


def _write_generators(run: Run, s: int, folder: Path) -> list[str]:
    weights = {
        "last": (run.counters.epoch, dict(run.generator.networks[s].named_parameters())),
        "best_validation": (run.progress[s].best_epoch, run.best[s]),
    }
    names = [
        _write_generator(folder, state, epoch, tensors)
        for state, (epoch, tensors) in weights.items()
    ]
    # Those of reported epochs were copied before.
    epochs = run.experiment.evaluation.report_epochs
    return names + [f"generator_epoch_{epoch}.safetensors" for epoch in epochs]


def _write_generator(folder: Path, state: str, epoch: int, weights: Mapping[str, Tensor]) -> str:
    """Writes the weights of a reported state and returns the file's name."""
    name = f"generator_{state}.safetensors"
    contiguous = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    with atomic_path(folder / name) as temporary:
        temporary.write_bytes(save(contiguous, {"epoch": str(epoch)}))
    return name


def _metrics(run: Run, s: int) -> list[Metric]:
    """Budget and speed; a diverged seed counts until the end of the epoch where it did."""
    counters, progress = run.counters, run.progress[s]
    epochs = len(progress.history) + (progress.failure is not None)
    metrics = [
        Metric(name="epochs", value=epochs, unit="epochs"),
        Metric(name="updates", value=epochs * run.batches, unit="updates"),
    ]
    if counters.updates and counters.seconds:
        # All seeds of the process share its time.
        value = counters.seconds / counters.updates / len(run.seeds)
        metrics.append(Metric(name="seconds_per_update", value=value, unit="s"))
    if progress.failure is None:
        metrics += [
            Metric(
                name="validation_log_likelihood",
                value=value,
                unit="nats",
                n=len(run.validation),
                labels={"checkpoint": checkpoint, "epoch": epoch},
            )
            for checkpoint, epoch, value in (
                ("last", counters.epoch, progress.history[-1]["validation_log_likelihood"]),
                ("best_validation", progress.best_epoch, progress.best_log_likelihood),
                *(
                    (
                        f"epoch_{epoch}",
                        epoch,
                        progress.history[epoch - 1]["validation_log_likelihood"],
                    )
                    for epoch in run.experiment.evaluation.report_epochs
                ),
            )
            if value is not None
        ]
        share = progress.history[-1]["collapse_share"]
        assert share is not None, "the last epoch is monitored"
        labels: dict[str, str | int | float] = {"reference": REFERENCE}
        metrics += [
            Metric(name="collapse_share", value=share, unit="share of pairs", labels=labels),
            Metric(name="collapsed", value=int(share >= COLLAPSED), unit="0 or 1", labels=labels),
        ]
    return metrics
