"""Where a run stands."""

from dataclasses import dataclass


@dataclass
class Counters:
    """Where a run stands: the same for all its seeds.

    Attributes:
        phase: index of the current phase.
        epoch: epochs done, over all phases.
        phase_epoch: epochs done in this phase.
        batch: updates done in this epoch.
        phase_updates: updates done in this phase.
        updates: updates done, over all phases.
        seconds: wall-clock time spent so far.
    """

    phase: int = 0
    epoch: int = 0
    phase_epoch: int = 0
    batch: int = 0
    phase_updates: int = 0
    updates: int = 0
    seconds: float = 0.0
