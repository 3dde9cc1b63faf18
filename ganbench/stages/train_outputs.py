"""What a training run leaves: its history, its generators, and what it measured about itself."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from ganbench.evaluation.diversity import COLLAPSED, REFERENCE
from ganbench.provenance import atomic_path
from ganbench.records import Metric
from ganbench.training.base import BaseRun


def write_histories(run: BaseRun, folders: Sequence[Path]) -> None:
    """Writes the history of each seed that has one, each to its folder."""
    for folder, progress in zip(folders, run.progress, strict=True):
        if progress.history:
            with (
                atomic_path(folder / "history.csv") as temporary,
                open(temporary, "w", encoding="utf-8", newline="") as file,
            ):
                writer = csv.DictWriter(file, list(progress.history[0]))
                writer.writeheader()
                writer.writerows(progress.history)


def write_reported(run: BaseRun, folders: Sequence[Path]) -> None:
    """Writes the generators of an epoch that is reported, where they outlive a failed job.

    Snakemake deletes the outputs of one, and a resumed run does not pass that epoch again.

    Args:
        run: at the end of an epoch.
        folders: of each seed's checkpoints.
    """
    if run.counters.epoch in run.experiment.evaluation.report_epochs:
        for s in run.alive:
            weights = run.weights(s)
            _write_generator(folders[s], f"epoch_{run.counters.epoch}", run.counters.epoch, weights)


def copy_reported(source: Path, target: Path) -> None:
    """Copies the generators of reported epochs to where the record describes them."""
    for path in source.glob("generator_*.safetensors"):
        with atomic_path(target / path.name) as temporary:
            shutil.copyfile(path, temporary)


def write_generators(run: BaseRun, s: int, folder: Path) -> list[str]:
    """Writes the weights of a finished seed and returns the names of its generators' files."""
    weights = {
        "last": (run.counters.epoch, run.weights(s)),
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


def metrics(run: BaseRun, s: int) -> list[Metric]:
    """Budget and speed; a diverged seed counts until the end of the epoch where it did."""
    counters, progress = run.counters, run.progress[s]
    epochs = len(progress.history) + (progress.failure is not None)
    measured = [
        Metric(name="epochs", value=epochs, unit="epochs"),
        Metric(name="updates", value=run.updates_after(epochs), unit="updates"),
    ]
    if counters.updates and counters.seconds:
        # All seeds of the process share its time.
        value = counters.seconds / counters.updates / len(run.seeds)
        measured.append(Metric(name="seconds_per_update", value=value, unit="s"))
    if progress.failure is None:
        measured += [
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
        measured += [
            Metric(name="collapse_share", value=share, unit="share of pairs", labels=labels),
            Metric(name="collapsed", value=int(share >= COLLAPSED), unit="0 or 1", labels=labels),
        ]
    return measured
