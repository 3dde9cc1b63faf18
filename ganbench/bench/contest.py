"""One benchmark: our call and others that do the same work, timed side by side on one thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ganbench.bench.timing import SHORTEST_SAMPLE_S, interleaved, ratio
from ganbench.checkout import git_state
from ganbench.provenance import device_name, versions

Call = Callable[[], object]
OURS = "ours"


@dataclass(frozen=True)
class Contest:
    """Calls that do the same work.

    Attributes:
        group: what sort of work, a heading of the table.
        work: what is done, a row's name.
        ours: our call.
        rivals: theirs, by name; `floor` names a bound and not a rival.
        rounds: samples of each.
        images: how many one call handles; 0 where that says nothing.
        precision: of our products.
        absent: why other rivals are missing, by name.
        sample_s: shortest time of consecutive calls that makes a sample.
    """

    group: str
    work: str
    ours: Call
    rivals: Mapping[str, Call]
    rounds: int
    images: int = 0
    precision: str = "float32"
    absent: Mapping[str, str] = field(default_factory=dict)
    sample_s: float = SHORTEST_SAMPLE_S


def measure(contest: Contest) -> dict[str, Any]:
    """Times all calls of a contest and returns what `ganbench bench table` prints.

    Times are the shortest of the rounds; a ratio is the median over rounds of theirs / ours with
    its 95 % bootstrap interval, so that above 1 ours is the faster.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    samples = interleaved(
        {**contest.rivals, OURS: contest.ours}, contest.rounds, sample_s=contest.sample_s
    )
    torch.set_num_threads(before)
    shortest = min(samples[OURS])
    return {
        "group": contest.group,
        "work": contest.work,
        "precision": contest.precision,
        "ours_ms": 1e3 * shortest,
        "calls_per_s": 1 / shortest,
        "images_per_s": contest.images / shortest or None,
        "rounds": contest.rounds,
        "rivals": {
            name: {"ms": 1e3 * min(samples[name]), **ratio(samples[OURS], samples[name])._asdict()}
            for name in contest.rivals
        },
        "absent": dict(contest.absent),
        **machine(),
    }


def machine() -> dict[str, Any]:
    """Returns device, versions and commit of what is measured here."""
    commit, dirty = git_state()
    try:
        jax = version("jax")
    except PackageNotFoundError:
        jax = "not installed"
    return {
        "device": device_name("cpu"),
        "threads": 1,
        "versions": versions() | {"jax": jax},
        "commit": commit,
        "dirty": dirty,
    }
