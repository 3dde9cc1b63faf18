"""Runs to their end, and their state compared."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.training import naive
from ganbench.training.fused import engine
from ganbench.training.loop import Run

ONE_PHASE = {"phases": [{"epochs": 2}]}
NewRun = Callable[..., Run]
State = tuple[dict[str, Tensor], dict[str, Any]]


def nothing() -> None:
    """For runs that nobody interrupts."""


def finish(run: Run, after_update: Callable[[], None] = nothing) -> Run:
    while not run.finished:
        run.run_epoch(after_update)
        after_update()
    return run


def copied(run: Run, s: int = 0) -> State:
    """The state as a checkpoint holds it: tensors of its own, counters through JSON."""
    tensors, counters = run.state(s)
    return {k: v.clone() for k, v in tensors.items()}, json.loads(json.dumps(counters))


def assert_same(one: State, two: State) -> None:
    """Bit for bit, and in every counter and the history."""
    assert one[0].keys() == two[0].keys()
    for name in one[0]:
        assert torch.equal(one[0][name], two[0][name]), name
    assert one[1] == two[1]


class Spy:
    """Keeps the arguments and outcomes of every update of the first seed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.calls: list[dict[str, Any]] = []
        plain = module.update

        def spied(generator, discriminator, real, noise, masks, objective, rates, *more, **turn):
            drawn: list[Tensor] = []

            def keep() -> Tensor:
                drawn.append(noise())
                return drawn[-1]

            if module is engine:
                drawn.append(noise)
            given = keep if module is naive else noise
            outcome = plain(
                generator, discriminator, real, given, masks, objective, rates, *more, **turn
            )
            call = {"real": real[0], "noise": [one[0] for one in drawn], "masks": masks}
            call |= turn | {"outcome": outcome, "objective": objective, "rates": rates}
            self.calls.append(call)
            return outcome

        monkeypatch.setattr(module, "update", spied)
