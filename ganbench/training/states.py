"""A run's state as tensors and counters: what a checkpoint holds, and how a run goes on from it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganbench.training.fused.players import Player
from ganbench.training.history import Counters, SeedProgress

if TYPE_CHECKING:
    from ganbench.training.loop import Run


def state(run: "Run", s: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns the tensors and the counters of the seed at place `s`, for `restore`."""
    # All that the next update depends on: the epoch's sums so far, where its noise stream stands,
    # the best generator, and both players' weights and momentum. Orders and masks are recomputed
    # from seed and counters.
    tensors = {"sums": run.sums[s], "noise": run.noise[s].get_state()}
    tensors |= {f"best.{name}": value for name, value in run.best[s].items()}
    for title, player in players(run):
        names = [name for name, _ in player.networks[s].named_parameters()]
        for name, value, velocity in zip(names, player.values, player.velocities, strict=True):
            tensors[f"{title}.{name}"] = value[s]
            tensors[f"{title}.velocity.{name}"] = velocity[s]
    return tensors, {
        "counters": asdict(run.counters),
        "course": asdict(run.progress[s]),
    }


def restore(run: "Run", states: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
    """Goes back to states that `state` returned after the same update, one for each seed."""
    run.counters = Counters(**states[0][1]["counters"])
    # A later phase has other layers: build them before their weights are filled in.
    for phase in range(1, min(run.counters.phase, len(run.settings.phases) - 1) + 1):
        run.start_phase(phase)
    for s, (tensors, counters) in enumerate(states):
        run.progress[s] = SeedProgress(**counters["course"])
        _restore(run, s, tensors)
    # Copies in bfloat16 and the norms of incoming weights follow from the weights.
    for _, player in players(run):
        player.refresh()


def _restore(run: "Run", s: int, tensors: dict[str, Tensor]) -> None:
    run.sums[s] = tensors["sums"]
    run.noise[s].set_state(tensors["noise"])
    run.best[s] = {
        name.removeprefix("best."): value.to(run.device)
        for name, value in tensors.items()
        if name.startswith("best.")
    }
    for title, player in players(run):
        names = [name for name, _ in player.networks[s].named_parameters()]
        for name, value, velocity in zip(names, player.values, player.velocities, strict=True):
            value[s].copy_(tensors[f"{title}.{name}"])
            velocity[s].copy_(tensors[f"{title}.velocity.{name}"])


def players(run: "Run") -> tuple[tuple[str, Player], ...]:
    """Returns both players with the names that a checkpoint gives them."""
    return ("generator", run.generator), ("discriminator", run.discriminator)
