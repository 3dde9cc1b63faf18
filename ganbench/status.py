"""`ganbench status`: where every job of a suite stands, from what the jobs have written."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ganbench.config import suite_experiments
from ganbench.errors import ConfigError
from ganbench.inputs import read_text
from ganbench.records import read_record
from ganbench.report.collect import read_history
from ganbench.report.theory.outputs import theory_experiments

WATCH_SECONDS = 2.0
LOG_WIDTH = 100  # characters of a line where no terminal says its own width
# What `ganbench train` prints after each epoch; a log may hold several seeds.
LEFT = re.compile(r", seed (\d+): epoch (\d+), .*?(\d+\.\d) min left$", re.MULTILINE)
DONE = ("done", "diverged", "data not available")
COLUMNS = ("experiment", "job", "state", "epoch", "validation, nats", "min left", "min ago")


@dataclass(frozen=True)
class Job:
    """A line of the table.

    Attributes:
        experiment: its name.
        job: "seed 0", or what all seeds share.
        state: in words; one of `DONE` where nothing more will come.
        epochs: done and of the whole run; None where nothing is trained.
        log_likelihood: nats, the last that was measured on validation images.
        minutes_left: of the training, by its own pace; None where it has not said.
        minutes_ago: since the training last wrote; None before it did and after its end.
    """

    experiment: str
    job: str
    state: str
    epochs: tuple[int, int] | None = None
    log_likelihood: float | None = None
    minutes_left: float | None = None
    minutes_ago: float | None = None


def status(results: Path, suite: Path | None = None, watch: bool = False) -> None:
    """Prints a table of a suite's jobs, with `watch` again and again until all are done.

    Args:
        results: the suite's folder of results; it need not exist yet.
        suite: the suite file; the one of the folder's name in configs/suites, if None.
        watch: whether to go on until all is done or the user stops it.

    Raises:
        GanbenchError: there is no such suite, or a file of the results cannot be read.
    """
    suite = _suite_of(results, suite)
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    if not watch:
        console.print(_table(results, list(jobs(results, suite))))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            current = list(jobs(results, suite))
            live.update(_table(results, current), refresh=True)
            if all(job.state in DONE for job in current):
                return
            try:
                time.sleep(WATCH_SECONDS)
            except KeyboardInterrupt:
                return


def _suite_of(results: Path, suite: Path | None) -> Path:
    path = suite or Path("configs/suites") / f"{results.resolve().name}.yaml"
    if not path.exists():
        raise ConfigError(f"{path}: is missing; give the suite file of {results} as --suite FILE")
    return path


def jobs(results: Path, suite: Path) -> Iterator[Job]:
    """Yields where each job stands: the seeds of an experiment, what they share, then theory."""
    for name, _, experiment, seeds in suite_experiments(suite):
        for seed in seeds:
            yield _seed(results, name, seed, experiment.epochs)
        for shared in ("baselines", "sample_metrics"):
            state = _recorded(results / name / f"{shared}.json") or "waiting"
            yield Job(name, shared.replace("_", " "), state)
    for name, *_ in theory_experiments(suite):
        yield Job(name, "theory", _recorded(results / name / "theory.json") or "waiting")


def _recorded(path: Path) -> str | None:
    """What a record says of its stage; None while there is none."""
    if not path.exists():
        return None
    said = read_record(path).status
    return "done" if said == "ok" else said.replace("_", " ")


def _seed(results: Path, name: str, seed: int, epochs: int) -> Job:
    folder, label = results / name / f"seed_{seed}", f"seed {seed}"
    trained, history = _recorded(folder / "train.json"), folder / "history.csv"
    if not history.exists():
        # A run that has its log and no epoch yet is at work, or failed: the log tells.
        begun = any(True for _ in _logs(results, name, seed))
        return Job(name, label, trained or ("starting" if begun else "waiting"), (0, epochs))
    rows = read_history(history)
    monitored = rows["validation_log_likelihood"].dropna()
    score = float(monitored.iloc[-1]) if len(monitored) else None
    done = (len(rows), epochs)
    if trained is None:
        ago = (time.time() - history.stat().st_mtime) / 60
        return Job(name, label, "training", done, score, _minutes_left(results, name, seed), ago)
    if trained == "done":
        sampled, evaluated = (_recorded(folder / f"{one}.json") for one in ("sample", "evaluate"))
        trained = evaluated or ("sampled" if sampled else "trained")
    return Job(name, label, trained, done, score)


def _minutes_left(results: Path, name: str, seed: int) -> float | None:
    """What the run's log said after its last epoch, less the time since."""
    for log in _logs(results, name, seed):
        said = [
            float(left)
            for number, _, left in LEFT.findall(read_text(log, "read it by other means"))
            if int(number) == seed
        ]
        if said:
            return max(0.0, said[-1] - (time.time() - log.stat().st_mtime) / 60)
    return None


def _logs(results: Path, name: str, seed: int) -> Iterator[Path]:
    """The logs that may speak of a seed, newest first: its own, and those of batches."""
    own = re.compile(rf"train_{name}_(seeds_\d+_to_\d+|(seed_)?{seed})\.log")
    paths = [path for path in (results / "logs").glob("train_*.log") if own.fullmatch(path.name)]
    yield from sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


def _table(results: Path, found: list[Job]) -> Table:
    done = sum(one.state in DONE for one in found)
    table = Table(
        title=Text(f"{results}: {done} of {len(found)} jobs done"),
        caption=Text(f"logs: {results}/logs/STAGE_EXPERIMENT_SEED.log"),
        title_justify="left",
        caption_justify="left",
        box=None,
    )
    for place, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if place < 3 else "right", no_wrap=True)
    above = ""
    for one in found:
        epochs = f"{one.epochs[0]} of {one.epochs[1]}" if one.epochs else ""
        numbers = (one.log_likelihood, one.minutes_left, one.minutes_ago)
        shown = ("" if value is None else f"{value:.1f}" for value in numbers)
        name = "" if one.experiment == above else one.experiment
        table.add_row(name, one.job, one.state, epochs, *shown)
        above = one.experiment
    return table
