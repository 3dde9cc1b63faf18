"""A run's state as tensors and counters: what a checkpoint holds, and how a run goes on from it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ganbench.config import Adversarial, Experiment, Rival
from ganbench.inputs import first_problem, shown
from ganbench.methods.base import build
from ganbench.methods.counters import Counters
from ganbench.training import networks
from ganbench.training.fused.players import Player
from ganbench.training.history import SUMS, SeedProgress

if TYPE_CHECKING:
    from ganbench.training.base import BaseRun
    from ganbench.training.loop import Run

COUNTERS, COURSE = TypeAdapter(Counters), TypeAdapter(SeedProgress)


def state(run: "Run", s: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns the tensors and the counters of the seed at place `s`, for `restore`."""
    return common_state(run, s, _players_tensors(run, s))


def common_state(
    run: "BaseRun", s: int, model: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns all that the next update of any run depends on.

    Args:
        run: of any method.
        s: place of the seed.
        model: the tensors that updates move.
    """
    # The epoch's sums so far, where its noise stream stands, and the best weights. Orders and masks
    # are recomputed from seed and counters.
    tensors = {"sums": run.sums[s], "noise": run.noise[s].get_state()}
    tensors |= {f"best.{name}": value for name, value in run.best[s].items()}
    counters = {"counters": asdict(run.counters), "course": asdict(run.progress[s])}
    return tensors | dict(model), counters


def _players_tensors(run: "Run", s: int) -> dict[str, Tensor]:
    tensors = {}
    for title, player in players(run):
        names = [name for name, _ in player.networks[s].named_parameters()]
        for name, value, velocity in zip(names, player.values, player.velocities, strict=True):
            tensors[f"{title}.{name}"] = value[s]
            tensors[f"{title}.velocity.{name}"] = velocity[s]
    return tensors


def restore(run: "Run", states: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
    """Goes back to states that `state` returned after the same update, one for each seed."""
    restore_common(run, states)
    for s, (tensors, _) in enumerate(states):
        for name, value in _players_tensors(run, s).items():
            value.copy_(tensors[name])
    # Copies in bfloat16 and the norms of incoming weights follow from the weights.
    for _, player in players(run):
        player.refresh()


def restore_common(
    run: "BaseRun", states: Sequence[tuple[dict[str, Tensor], dict[str, Any]]]
) -> None:
    """Goes back to what `common_state` added, having built what the phase moves."""
    run.counters = Counters(**states[0][1]["counters"])
    # A later phase has other layers: build them before their weights are filled in.
    for phase in range(1, min(run.counters.phase, len(run.experiment.phase_epochs) - 1) + 1):
        run.start_phase(phase)
    for s, (tensors, counters) in enumerate(states):
        run.progress[s] = SeedProgress(**counters["course"])
        run.sums[s] = tensors["sums"]
        run.noise[s].set_state(tensors["noise"])
        run.best[s] = {
            name.removeprefix("best."): value.to(run.device)
            for name, value in tensors.items()
            if name.startswith("best.")
        }


def misfit(
    experiment: Experiment, image_shape: networks.Shape, tensors: Mapping[str, Tensor], saved: Any
) -> str | None:
    """Returns why `restore` could not go on from a state; None if it can.

    Args:
        experiment: its settings.
        image_shape: channels, height and width of an image.
        tensors: of the state.
        saved: its counters.
    """
    try:
        # As JSON, because strict reading takes no mapping for an instance.
        counters = COUNTERS.validate_json(json.dumps(saved["counters"]), strict=True)
        course = COURSE.validate_json(json.dumps(saved["course"]), strict=True)
    except KeyError as problem:
        return f"its state has no {problem}"
    except ValidationError as problem:
        return "its state's {} is wrong ({})".format(*first_problem(problem))
    phases = len(experiment.phase_epochs)
    # After the last update the phase may stand behind the last.
    if min(asdict(counters).values()) < 0 or counters.phase > phases:
        return f"its counters are impossible: {shown(asdict(counters))}"
    noise = tensors.get("noise")
    if noise is None or noise.dtype != torch.uint8 or noise.ndim != 1:
        return "has no state of the noise"
    for name, shape in _shapes(experiment, image_shape, min(counters.phase, phases - 1)).items():
        if name not in tensors:
            return f"has no tensor {name!r}"
        if tensors[name].shape != shape:
            return f"tensor {name!r} is {list(tensors[name].shape)}, expected {list(shape)}"
        # A seed that diverged waits, as it is, for those beside it.
        if course.failure is None and not tensors[name].isfinite().all():
            return f"tensor {name!r} holds NaN or infinity"
    return None


def _shapes(
    experiment: Experiment, image_shape: networks.Shape, phase: int
) -> dict[str, torch.Size]:
    """The shapes of all that a state of a phase holds, from a model that is thrown away."""
    if isinstance(experiment, Adversarial):
        return {"sums": torch.Size([len(SUMS)])} | _player_shapes(experiment, image_shape, phase)
    assert isinstance(experiment, Rival)
    model = build(experiment, torch.zeros(math.prod(image_shape)), torch.Generator())
    shapes = {f"method.{name}": value.shape for name, value in model.tensors().items()}
    return {"sums": torch.Size([len(model.losses)])} | shapes


def _player_shapes(
    experiment: Adversarial, image_shape: networks.Shape, phase: int
) -> dict[str, torch.Size]:
    unused = torch.Generator()
    pixels = torch.zeros(math.prod(image_shape))
    generator = networks.build_generator(experiment.generator, image_shape, pixels, unused)
    for later in experiment.training.phases[1 : phase + 1]:
        noise_dim = experiment.generator.noise_dim
        generator = networks.put_in_front(generator, later.generator_front, noise_dim, unused)
    discriminator = networks.build_discriminator(experiment.discriminator, image_shape, unused)
    players = {"generator": generator, "discriminator": discriminator}
    return {
        f"{title}.{kind}{name}": value.shape
        for title, network in players.items()
        for name, value in network.named_parameters()
        for kind in ("", "velocity.")
    }


def players(run: "Run") -> tuple[tuple[str, Player], ...]:
    """Returns both players with the names that a checkpoint gives them."""
    return ("generator", run.generator), ("discriminator", run.discriminator)
