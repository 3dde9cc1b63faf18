"""How a run shows that it moves: a bar on a terminal, one plain line an epoch in a log."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ganbench.evaluation.diversity import COLLAPSED
from ganbench.training.base import BaseRun
from ganbench.training.history import Row

# Short names of losses that have one, and their digits.
LABELS = {
    "discriminator_loss": ("loss D", 4),
    "generator_loss": ("loss G", 4),
    "d_real": ("D(x)", 3),
    "d_fake": ("D(G(z))", 3),
}


class Progress:
    """Shows updates and epochs of a run until it is closed."""

    def __init__(self, title: str, run: BaseRun) -> None:
        self.console = Console()
        self.total = run.updates_after(run.experiment.epochs)
        self.first, self.started = run.counters.updates, time.monotonic()
        self.bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("updates"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.title = title
        self.task = self.bar.add_task(title, total=self.total, completed=self.first)

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def update(self, run: BaseRun) -> None:
        """Moves the bar."""
        self.bar.update(self.task, completed=run.counters.updates)

    def epoch(self, run: BaseRun, rows: dict[int, Row]) -> None:
        """Prints an epoch's line of each seed, with the time that is left."""
        done = run.counters.updates
        rate = (time.monotonic() - self.started) / max(done - self.first, 1)
        left = f"{rate * 1e3:.1f} ms an update, {rate * (self.total - done) / 60:.1f} min left"
        for s, seed in enumerate(run.seeds):
            failure = run.progress[s].failure
            line = f"diverged: {failure}" if failure else f"{_numbers(rows[s], run.losses)}, {left}"
            text = f"{self.title}, seed {seed}: {line}"
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _numbers(row: Row, losses: Sequence[str]) -> str:
    line = f"epoch {row['epoch']:.0f}"
    for name in losses:
        if row[name] is not None:
            label, digits = LABELS.get(name, (name.replace("_", " "), 4))
            line += f", {label} {row[name]:.{digits}f}"
    if row["validation_log_likelihood"] is not None:
        line += (
            f", validation {row['validation_log_likelihood']:.1f} nats at sigma {row['sigma']:.3f}"
        )
    share = row["collapse_share"]
    if share is not None and share >= COLLAPSED:
        line += f", COLLAPSED: {share:.0%} of the pairs of samples are alike"
    return line
