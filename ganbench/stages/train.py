"""`ganbench train`: settings and seeds to generators, histories and records."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from ganbench.config import Adversarial, Experiment, Rival, experiment_name, settings_digest
from ganbench.data.datasets import Dataset
from ganbench.errors import DataNotAvailableError, DivergenceError, GanbenchError
from ganbench.numerics import NUMERICS
from ganbench.provenance import locked_folder
from ganbench.records import Environment, Record
from ganbench.stages import environments
from ganbench.stages.context import Job
from ganbench.stages.environments import EnvironmentHistory
from ganbench.stages.train_outputs import (
    copy_reported,
    metrics,
    write_generators,
    write_histories,
    write_reported,
)
from ganbench.training import states
from ganbench.training.base import BaseRun
from ganbench.training.checkpoints import Check, Checkpoints, State
from ganbench.training.cost import seeds_at_once
from ganbench.training.loop import Run
from ganbench.training.method_run import MethodRun
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

    Seeds whose checkpoints stand at different updates train in groups, one after the other, and so
    do those that memory does not hold side by side.

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
        for group in _waves(_groups(jobs, places, dataset, digests, restart)):
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

    @property
    def folders(self) -> list[Path]:
        """Where each seed's results go."""
        return [job.out.parent for job in self.jobs]

    def train(
        self,
        dataset: Dataset,
        digests: dict[str, str],
        checkpoint_seconds: float,
        signals: list[int],
    ) -> list[Record]:
        run = self._run(dataset)
        earlier_s = run.counters.seconds
        history = self._environments(run)
        self._run_to_the_end(run, history, checkpoint_seconds, signals)
        for folder, checkpoints in zip(self.folders, self.checkpoints, strict=True):
            copy_reported(checkpoints.folder, folder)
        records = [
            _record(run, s, job, digests, earlier_s, history.of(s, run.counters.updates))
            for s, job in enumerate(self.jobs)
        ]
        for checkpoints in self.checkpoints:
            try:
                checkpoints.remove()
            except GanbenchError as problem:
                print(f"{problem}; the run is done all the same", file=sys.stderr)
        return records

    def _run(self, dataset: Dataset) -> BaseRun:
        """A new run, or the one of the checkpoints; the history may be gone, or ahead of it."""
        job, fold = self.jobs[0], dataset.folds[0]
        run = new_run(
            job.experiment,
            [job.seed or 0 for job in self.jobs],
            job.images(dataset, dataset.train),
            job.images(dataset, fold.validation).rows(),
            len(dataset.folds),
            job.device,
        )
        if self.states:
            run.restore(self.states)
            write_histories(run, self.folders)
            counters = run.counters
            print(f"resuming after update {counters.updates} (epoch {counters.epoch})", flush=True)
        return run

    def _environments(self, run: BaseRun) -> EnvironmentHistory:
        saved = [state for _, state in self.states]
        history = EnvironmentHistory.start(
            self.jobs[0].device, run.counters.updates, saved, len(self.jobs)
        )
        change = history.change()
        if change:
            print(
                f"{self.jobs[0].out}: goes on in another environment, so that it may end otherwise "
                f"({change}); its record names both, --restart trains from the start",
                file=sys.stderr,
            )
        return history

    def _run_to_the_end(
        self,
        run: BaseRun,
        history: EnvironmentHistory,
        checkpoint_seconds: float,
        signals: list[int],
    ) -> None:
        started = saved = time.monotonic()
        cost = 0.0
        earlier_s = run.counters.seconds

        def save() -> None:
            nonlocal saved, cost
            began = time.monotonic()
            run.counters.seconds = earlier_s + began - started
            for s, checkpoints in enumerate(self.checkpoints):
                tensors, state = run.state(s)
                parts = history.of(s, run.counters.updates)
                state["environments"] = [part.model_dump() for part in parts]
                checkpoints.save(run.counters.updates, tensors, state)
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
                write_reported(run, [one.folder for one in self.checkpoints])
                if run.finished or time.monotonic() - written >= HISTORY_SECONDS:
                    write_histories(run, self.folders)
                    written = time.monotonic()
                after_update()
            run.counters.seconds = earlier_s + time.monotonic() - started


def new_run(experiment: Experiment, *arguments: Any) -> BaseRun:
    """Returns a run of the experiment's method; the other arguments are those of its class."""
    if isinstance(experiment, Adversarial):
        return Run(experiment, *arguments)
    assert isinstance(experiment, Rival)
    return MethodRun(experiment, *arguments)


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


def _waves(groups: list[_Group]) -> Iterator[_Group]:
    """Yields groups that memory holds: a larger one in parts."""
    for group in groups:
        job, count = group.jobs[0], len(group.jobs)
        most = count
        # What other methods take in memory has not been worked out.
        if isinstance(job.experiment, Adversarial):
            most = seeds_at_once(job.experiment, job.device)
        if count > most:
            print(f"{count} seeds: memory holds {most} side by side, the others wait", flush=True)
        for first in range(0, count, most):
            part = slice(first, first + most)
            yield _Group(group.jobs[part], group.checkpoints[part], group.states[part])


def _check(job: Job, dataset: Dataset) -> Check:
    shape = job.images(dataset, dataset.train[:0]).shape

    def misfit(state: State) -> str | None:
        return states.misfit(job.experiment, shape, *state) or environments.misfit(state[1])

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


def _record(
    run: BaseRun,
    s: int,
    job: Job,
    digests: dict[str, str],
    earlier_s: float,
    parts: list[Environment],
) -> Record:
    progress = run.progress[s]
    files = ["history.csv"] if progress.history else []
    if progress.failure is None:
        files += write_generators(run, s, job.out.parent)
    return job.record(
        status="ok" if progress.failure is None else "diverged",
        message=progress.failure or "",
        metrics=metrics(run, s),
        files=files,
        datasets=digests,
        earlier_s=earlier_s,
        environments=parts,
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
