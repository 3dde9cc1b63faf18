"""How a run shows that it moves: a bar on a terminal, one plain line an epoch in a log."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ganbench.evaluation.diversity import COLLAPSED
from ganbench.training.loop import Row, Run


class Progress:
    """Shows updates and epochs of a run until it is closed."""

    def __init__(self, title: str, run: Run) -> None:
        self.console = Console()
        self.total = run.settings.epochs * run.batches
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

    def update(self, run: Run) -> None:
        """Moves the bar."""
        self.bar.update(self.task, completed=run.counters.updates)

    def epoch(self, run: Run, rows: dict[int, Row]) -> None:
        """Prints an epoch's line of each seed, with the time that is left."""
        done = run.counters.updates
        rate = (time.monotonic() - self.started) / max(done - self.first, 1)
        left = f"{rate * 1e3:.1f} ms an update, {rate * (self.total - done) / 60:.1f} min left"
        for s, seed in enumerate(run.seeds):
            failure = run.progress[s].failure
            line = f"diverged: {failure}" if failure else f"{_numbers(rows[s])}, {left}"
            text = f"{self.title}, seed {seed}: {line}"
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _numbers(row: Row) -> str:
    line = (
        f"epoch {row['epoch']:.0f}, loss D {row['discriminator_loss']:.4f}, "
        f"loss G {row['generator_loss']:.4f}, D(x) {row['d_real']:.3f}, "
        f"D(G(z)) {row['d_fake']:.3f}"
    )
    if row["validation_log_likelihood"] is not None:
        line += (
            f", validation {row['validation_log_likelihood']:.1f} nats at sigma {row['sigma']:.3f}"
        )
    share = row["collapse_share"]
    if share is not None and share >= COLLAPSED:
        line += f", COLLAPSED: {share:.0%} of the pairs of samples are alike"
    return line
