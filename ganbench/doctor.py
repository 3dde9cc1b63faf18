"""`ganbench doctor`: what is installed, what data is there, and what a suite would take."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench import __version__
from ganbench.checkout import git_state
from ganbench.config import Adversarial, load_suite, suite_experiments
from ganbench.data.fetch import available, data_directory
from ganbench.provenance import device_name, versions
from ganbench.stages.context import resolve_device
from ganbench.training.cost import Cost, Rates, cost, measure_rates

WIDTH = 100  # so that a log shows whole columns
BUSY = 0.8  # of the processors, by the load of the last minute


def doctor(suite: Path, data_dir: Path | None, device: str) -> None:
    """Prints versions, device, data and a rough time and disk space per experiment.

    Args:
        suite: the suite file.
        data_dir: the flag's data directory.
        device: "auto", "cpu" or "cuda".
    """
    console = Console(highlight=False, markup=False, soft_wrap=True, width=WIDTH)
    device = resolve_device(device)
    directory = data_directory(data_dir)
    commit, dirty = git_state()
    source = f"commit {commit[:12]}{' (changed)' if dirty else ''}" if commit else "no checkout"
    console.print(f"ganbench {__version__}, {source}")
    console.print(", ".join(f"{name} {version}" for name, version in versions().items()))
    rates = measure_rates(device)
    console.print(
        f"{device_name(device)}: "
        f"{rates.flops_per_second / 1e9:.0f} GFLOP/s, "
        f"copies {rates.bytes_per_second / 1e9:.0f} GB/s"
        + (" on one thread" if device == "cpu" else "")
    )
    console.print(f"data directory {directory}")
    busy = os.getloadavg()[0]
    if device == "cpu" and busy > BUSY * (os.cpu_count() or 1):
        console.print(f"the machine is busy (load {busy:.1f}): the times below are too long")
    console.print(_plan(suite, directory, rates))


def _plan(suite: Path, directory: Path, rates: Rates) -> Table:
    table = Table(title=Text(f"What {suite} would run"), title_justify="left", box=None)
    for column in (
        "experiment",
        "data",
        "found",
        "seeds",
        "epochs",
        "ms/update",
        "h/seed",
        "GB/seed",
    ):
        words = column in ("experiment", "data", "found")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    total_hours = total_bytes = 0.0
    uncounted: list[str] = []
    for name, _, experiment, seeds in suite_experiments(suite):
        has_data = available(experiment.dataset, directory)
        figures = ["-"] * 3
        if isinstance(experiment, Adversarial):
            needed: Cost = cost(experiment)
            seconds = needed.seconds(rates)
            total_hours += len(seeds) * seconds / 3600
            total_bytes += len(seeds) * needed.disk_bytes
            figures = [
                f"{1000 * seconds / needed.updates:.0f}",
                f"{seconds / 3600:.2f}",
                f"{needed.disk_bytes / 1e9:.1f}",
            ]
        else:
            uncounted.append(name)
        table.add_row(
            name,
            experiment.dataset,
            "yes" if has_data else "no",
            str(len(seeds)),
            str(experiment.epochs),
            *figures,
        )
    theory = len(load_suite(suite).theory)
    if not table.rows:
        table.caption = f"No training; {theory} theory experiments, minutes each."
        return table
    table.caption = (
        f"Rough: {total_hours:.1f} hours of training in all, one job at a time, and at most "
        f"{total_bytes / 1e9:.1f} GB, if all data can be had."
    )
    if uncounted:
        table.caption += f" Not counted: {', '.join(uncounted)}; docs/methods/ says what they take."
    table.caption_justify = "left"
    return table
