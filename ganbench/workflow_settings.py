"""What `snakemake --config key=value` may say; anything else is refused before a job is planned."""

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganbench.errors import ConfigError
from ganbench.inputs import shown

SETTINGS = {
    "suite": "a suite file, as in configs/suites/demo.yaml",
    "device": "auto, cpu or cuda",
    "data_dir": "a folder",
    "gpus": "a whole number from 1 on",
    "seeds_per_job": "a whole number from 1 on",
    "checkpoint_dir": "a folder",
}
# Those of a seed.
STAGES = ("train", "sample", "evaluate")
SUITE = "configs/suites/paper.yaml"


@dataclass(frozen=True)
class Batch:
    """Seeds of one experiment that share a job.

    Attributes:
        experiment: its name, or a wildcard.
        seeds: their numbers, or a wildcard.
    """

    experiment: str
    seeds: tuple[int | str, ...]

    @property
    def name(self) -> str:
        """Short however many seeds there are; unique, because a seed is in one batch."""
        first, last = self.seeds[0], self.seeds[-1]
        if self is EACH:
            return str(first)
        return f"seeds_{first}_to_{last}" if len(self.seeds) > 1 else f"seed_{first}"

    @property
    def seed_list(self) -> str:
        """As the command line takes it."""
        return ",".join(map(str, self.seeds))

    def rule(self, stage: str) -> str:
        """Returns the name of its rule of a stage."""
        return stage if self is EACH else f"{stage}_{self.experiment}_{self.name}"


# Each seed has a job of its own: one rule a stage, with wildcards.
EACH = Batch("{experiment}", ("{seed}",))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses unknown keys and values.

    Raises:
        ConfigError: names the key, the value and what is allowed.
    """
    for key, value in settings.items():
        if key not in SETTINGS:
            close = difflib.get_close_matches(key, SETTINGS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"give one of {', '.join(SETTINGS)}"
            raise ConfigError(f"--config: unknown key {shown(key)}; {hint}")
        if not _fits(key, value):
            raise ConfigError(f"--config: {key}: got {shown(value)}; give {SETTINGS[key]}")
    if "gpus" in settings and settings.get("device") != "cuda":
        raise ConfigError(f"--config: gpus: got {settings['gpus']} without a GPU; add device=cuda")


def _fits(key: str, value: Any) -> bool:
    if key == "device":
        return value in ("auto", "cpu", "cuda")
    if key in ("gpus", "seeds_per_job"):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, str) and bool(value)


def find_suite(settings: Mapping[str, Any], project: Path) -> Path:
    """Returns the suite file: below the working folder or, where it is not there, the project's."""
    given = Path(settings.get("suite", SUITE))
    return project / given if not given.exists() and (project / given).exists() else given


def refuse_tags(paths: Iterable[Path]) -> None:
    """Refuses paths that Snakemake would write into report.html as tags.

    Args:
        paths: of settings files; they are parameters of rules, which Snakemake does not escape.

    Raises:
        ConfigError: names the first with a '<'.
    """
    for path in paths:
        if "<" in str(path):
            raise ConfigError(
                f"{shown(path)}: its path has a '<', which report.html would take for a tag; "
                "rename it"
            )


def batches(seeds: Mapping[str, Sequence[int]], settings: Mapping[str, Any]) -> list[Batch]:
    """Returns the seeds of each job.

    Without `seeds_per_job` GPUs share an experiment's seeds evenly. The last batch alone changes
    where a seed is added at the end.

    Args:
        seeds: of each experiment.
        settings: checked ones.

    Returns:
        `EACH` alone where no two seeds share a job.
    """
    gpus = settings.get("gpus", 1) if settings.get("device") == "cuda" else None
    groups: list[Batch] = []
    for experiment, numbers in seeds.items():
        shared = math.ceil(len(numbers) / gpus) if gpus else 1
        size = settings.get("seeds_per_job", shared)
        for start in range(0, len(numbers), size):
            groups.append(Batch(experiment, tuple(numbers[start : start + size])))
    return groups if any(len(group.seeds) > 1 for group in groups) else [EACH]


def needed(groups: Sequence[Batch], arguments: Sequence[str]) -> list[Batch]:
    """Returns the batches whose rules a snakemake process can run.

    Reading thousands of rules would take a job on a cluster longer than some of its work. Its
    command names the job's rules; no setting that a Snakefile could ask says them so early.

    Args:
        groups: all batches.
        arguments: the command line.
    """
    option = "--allowed-rules"
    if option not in arguments:
        return list(groups)
    values = arguments[arguments.index(option) + 1 :]
    rules = set(itertools.takewhile(lambda value: not value.startswith("-"), values))
    return [one for one in groups if any(one.rule(stage) in rules for stage in STAGES)]
