"""What a theory experiment hands back: numbers, some of them with a bound, and arrays to draw."""

from dataclasses import dataclass, field

import numpy as np

from ganbench.records import Metric


@dataclass
class Findings:
    """The metrics of a record and the arrays of its companion file."""

    metrics: list[Metric] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def measure(
        self, name: str, value: float, unit: str = "nats", **labels: str | int | float
    ) -> None:
        """Adds a number that has no bound to hold."""
        self.metrics.append(Metric(name=name, value=float(value), unit=unit, labels=labels))

    def claim_at_most(
        self, name: str, statement: str, value: float, bound: float, unit: str = "nats"
    ) -> None:
        """Adds a statement that holds when `value` is at most `bound`."""
        self._claim(name, statement, value, bound, unit, "at most")

    def claim_at_least(
        self, name: str, statement: str, value: float, bound: float, unit: str = "nats"
    ) -> None:
        """Adds a statement that holds when `value` is at least `bound`."""
        self._claim(name, statement, value, bound, unit, "at least")

    def _claim(
        self, name: str, statement: str, value: float, bound: float, unit: str, relation: str
    ) -> None:
        self.measure(name, value, unit, statement=statement, relation=relation, bound=bound)

    def join(self, other: "Findings") -> None:
        """Takes over what another part of the same experiment measured."""
        self.metrics += other.metrics
        self.arrays |= other.arrays
