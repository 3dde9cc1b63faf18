"""Reads suite files: their experiments, and the names that results get."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, field_validator

from ganbench.config.by_method import load_experiment
from ganbench.config.experiment import Experiment
from ganbench.config.files import read_mapping, validate
from ganbench.config.frozen import Frozen, Title, list_field
from ganbench.errors import ConfigError
from ganbench.inputs import reason, shown

NAME = "[a-z0-9_]+"
MOST_SEEDS = 100_000  # of one experiment
OUR_FOLDERS = ("data", "report", "logs", "estimators")  # below results/SUITE
OUR_SUITES = ("bench", "published")  # below results


class SuiteEntry(Frozen):
    """An experiment and how often it is run."""

    config: str = Field(description="The experiment file, relative to the suite file.")
    seeds: tuple[NonNegativeInt, ...] = Field(
        description="One training run each: a list, or FIRST-LAST.", strict=False, min_length=1
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _written_out(cls, seeds: Any) -> Any:
        """Thousands of seeds are one value of a suite file."""
        if not isinstance(seeds, str) or not (
            ends := re.fullmatch(r"(\d{1,18})-(\d{1,18})", seeds)
        ):
            return seeds
        first, last = map(int, ends.groups())
        if not first <= last < first + MOST_SEEDS:
            raise ValueError(f"give FIRST-LAST, as in 0-99, with at most {MOST_SEEDS:,} seeds")
        return tuple(range(first, last + 1))


class Suite(Frozen):
    """The experiments that one run of the workflow reproduces."""

    name: str = Field(pattern=f"^{NAME}$", max_length=100, description="Its folder under results/.")
    title: Title = Field(description="Heads the report and the paper.")
    experiments: tuple[SuiteEntry, ...] = list_field("In the order of the table.", default=())
    theory: tuple[SuiteEntry, ...] = list_field("Theory experiments, in order.", default=())


def load_suite(path: Path) -> Suite:
    """Reads a suite file; its experiment files are checked when they are loaded themselves.

    Raises:
        ConfigError: names the file, the key, the value and the remedy.
    """
    suite = validate(Suite, read_mapping(path), path)
    _check_names(suite, path)
    for entry in (*suite.experiments, *suite.theory):
        if len(set(entry.seeds)) < len(entry.seeds):
            raise ConfigError(
                f"{path}: {shown(entry.config)}: seeds: got {shown(list(entry.seeds))}; give each "
                "seed once"
            )
    return suite


def _check_names(suite: Suite, path: Path) -> None:
    """An experiment's name is a folder of results: one for each, and none of our own."""
    if suite.name in OUR_SUITES:
        raise ConfigError(f"{path}: name: {suite.name!r} is a folder of ours; choose another name")
    seen: set[str] = set()
    for entry in (*suite.experiments, *suite.theory):
        name = experiment_name(entry.config)
        if name in seen:
            raise ConfigError(f"{path}: experiments: {name!r} is listed twice; list its seeds once")
        if not re.fullmatch(NAME, name) or name in OUR_FOLDERS:
            raise ConfigError(
                f"{path}: config: got {shown(entry.config)}; name the file with a-z, 0-9 and _ "
                f"(and not {', '.join(OUR_FOLDERS)}), because its results get a folder of that name"
            )
        seen.add(name)


def suite_experiments(path: Path) -> Iterator[tuple[str, Path, Experiment, tuple[int, ...]]]:
    """Yields name, file, settings and seeds of each experiment of the suite file at `path`."""
    for entry in load_suite(path).experiments:
        config = entry_file(path, entry)
        yield experiment_name(entry.config), config, load_experiment(config), entry.seeds


def entry_file(suite: Path, entry: SuiteEntry) -> Path:
    """Returns the file of an entry, relative to the working directory where it lies below it.

    Raises:
        ConfigError: its name is none that a file can have.
    """
    try:
        config = (suite.parent / entry.config).resolve()
    except (OSError, RuntimeError, ValueError) as problem:
        raise ConfigError(
            f"{suite}: config: {shown(entry.config)} cannot be found ({reason(problem)}); give the "
            "name of a file"
        ) from None
    return config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else config


def experiment_name(config: str | Path) -> str:
    """The name of an experiment is the name of its file."""
    return Path(config).stem
