"""What `snakemake --config key=value` may say; anything else is refused before a job is planned."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
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
}
SUITE = "configs/suites/paper.yaml"
Batch = tuple[str, str, Sequence[int]]


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
    """Returns experiment, name and seeds of each batch that is trained together.

    Without `seeds_per_job` GPUs share an experiment's seeds evenly. The last batch alone changes
    where a seed is added at the end.

    Args:
        seeds: of each experiment.
        settings: checked ones.

    Returns:
        Empty where each seed has a job of its own.
    """
    gpus = settings.get("gpus", 1) if settings.get("device") == "cuda" else None
    groups: list[Batch] = []
    for experiment, numbers in seeds.items():
        shared = math.ceil(len(numbers) / gpus) if gpus else 1
        size = settings.get("seeds_per_job", shared)
        for start in range(0, len(numbers), size):
            group = numbers[start : start + size]
            groups.append((experiment, _batch_name(group), group))
    return groups if any(len(group) > 1 for *_, group in groups) else []


def _batch_name(group: Sequence[int]) -> str:
    """Short however many seeds there are; unique, because a seed is in one batch."""
    return f"seeds_{group[0]}_to_{group[-1]}" if len(group) > 1 else f"seed_{group[0]}"
