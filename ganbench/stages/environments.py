"""What each part of a training run was computed with, kept in its checkpoints and its record.

A run that goes on elsewhere (another machine, torch or code) need not end as it would have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from ganbench.errors import printable
from ganbench.inputs import first_problem
from ganbench.provenance import code_digest, device_name, versions
from ganbench.records import Environment
from ganbench.stages.context import impl_used

ENVIRONMENTS = TypeAdapter(list[Environment])


def misfit(state: dict[str, Any]) -> str | None:
    """Returns why the environments of a checkpoint's state cannot be read; None if they can."""
    try:
        _read(state)
    except ValidationError as problem:
        return "its state's environments are wrong ({}: {})".format(*first_problem(problem))
    return None


def _read(state: dict[str, Any]) -> list[Environment]:
    """Older checkpoints have none."""
    return ENVIRONMENTS.validate_python(state.get("environments", []))


@dataclass(frozen=True)
class EnvironmentHistory:
    """The environments of seeds that train together.

    Attributes:
        earlier: those of each seed's checkpoint, the oldest first.
        here: that of this process, from the update at which it took over.
    """

    earlier: list[list[Environment]]
    here: Environment

    @classmethod
    def start(
        cls, device: str, updates: int, states: Sequence[dict[str, Any]], seeds: int
    ) -> "EnvironmentHistory":
        """Returns the histories as they are when a process takes over.

        Args:
            device: a torch device.
            updates: made so far.
            states: of each seed's checkpoint; none for a run that starts.
            seeds: how many train together.
        """
        here = Environment(
            from_update=updates,
            code_digest=code_digest("train"),
            versions=versions(),
            device=device_name(device),
            threads=torch.get_num_threads(),
            instruction_set=_instruction_set(device),
            # Known once an update was made.
            impl="none",
        )
        return cls([_read(state) for state in states] or [[] for _ in range(seeds)], here)

    def of(self, s: int, updates: int) -> list[Environment]:
        """Returns the environments of the seed at place `s` after so many updates."""
        earlier = self.earlier[s]
        # A process that makes no update leaves no trace in the numbers.
        if updates == self.here.from_update:
            return earlier
        here = self.here.model_copy(update={"impl": impl_used()})
        if earlier and not _differences(earlier[-1], here):
            return earlier
        return [*earlier, here]

    def change(self) -> str:
        """Returns what is not as it was before this process took over, in words; "" if all is."""
        last = [one[-1] for one in self.earlier if one]
        changes = {
            f"{name.replace('_', ' ')} {_short(name, old)} before, {_short(name, new)} now"
            for one in last
            for name, old, new in _differences(one, self.here)
            if name != "impl"
        }
        return "; ".join(sorted(changes))


def _short(name: str, value: object) -> str:
    return str(value)[:12] if name == "code_digest" else printable(str(value))


def _differences(old: Environment, new: Environment) -> list[tuple[str, Any, Any]]:
    """Name, old and new value of what differs, each package's version by itself."""
    pairs = [
        (package, old.versions.get(package), new.versions.get(package))
        for package in sorted(old.versions.keys() | new.versions.keys())
    ]
    pairs += [
        (name, getattr(old, name), getattr(new, name))
        for name in Environment.model_fields
        if name not in ("from_update", "versions")
    ]
    return [(name, one, other) for name, one, other in pairs if one != other]


def _instruction_set(device: str) -> str:
    """What torch's own kernels were chosen for: it decides the order of their sums."""
    processor = torch.backends.cpu.get_cpu_capability()
    if device == "cpu":
        return processor
    return "{}, sm_{}{}".format(processor, *torch.cuda.get_device_capability(device))
