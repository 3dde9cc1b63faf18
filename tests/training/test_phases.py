"""What a run monitors, which generator it remembers, and what a new phase keeps."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench import seeding
from ganbench.evaluation import diversity, parzen
from ganbench.evaluation.yardstick import Yardstick
from ganbench.training.loop import Run

from .conftest import FRONT, experiment, images
from .runs import NewRun, assert_same, copied, finish, nothing


def test_monitoring_follows_the_protocol(new_run: NewRun) -> None:
    run = new_run()
    row = run.run_epoch(nothing)[0]
    samples = run.sample(32, seeding.generator(0, "monitoring", 1))
    actual = parzen.choose_bandwidth(run.validation, samples, parzen.GAN2014.sigmas)
    assert row["validation_log_likelihood"] == max(actual.log_likelihoods)
    assert row["sigma"] == actual.sigma
    assert row["collapse_share"] == diversity.collapse_share(samples, run.train.rows())


def test_training_and_score_compare_with_the_same_images(new_run: NewRun) -> None:
    """With few, scattered validation images half the pairs of noise would be alike."""
    run = new_run(count=900)
    run.validation = 100 * run.validation
    row = run.run_epoch(nothing)[0]
    samples = run.sample(32, seeding.generator(0, "monitoring", 1))
    score = Yardstick(run.train.rows(), run.train.rows()[:40], 0.5 / 16, None).measure(samples, 0.2)
    (scored,) = (one.value for one in score if one.name == "collapse_share")
    assert row["collapse_share"] == scored


def test_only_the_first_validation_images_are_monitored() -> None:
    validation = torch.arange(1200.0)[:, None].expand(1200, 16)
    for folds, expected in ((1, 1000), (5, 1200)):
        run = Run(experiment(), (0,), images(), validation, folds)
        assert torch.equal(run.validation, validation[:expected])


def test_best_validation_is_the_state_of_the_best_row(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three epochs whose second is the best.
    values = iter([[-5.0, -4.0], [-2.0, -3.0], [-2.5, -4.0]])
    monkeypatch.setattr(
        parzen, "choose_bandwidth", lambda *_: parzen.Bandwidth(0.1, next(values), False)
    )
    run = new_run(phases=[{"epochs": 3}])
    weights = []
    while not run.finished:
        run.run_epoch(nothing)
        weights.append(copied(run)[0])
    assert (run.progress[0].best_epoch, run.progress[0].best_log_likelihood) == (
        2,
        -2.0,
    )
    for name, value in run.best[0].items():
        assert torch.equal(value, weights[1][f"generator.{name}"])
        assert not torch.equal(value, weights[2][f"generator.{name}"])
    assert run.best[0].keys() == dict(run.generator.networks[0].named_parameters()).keys()


def test_the_best_of_an_earlier_phase_is_forgotten(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([[-1.0], [-1.0], [-9.0], [-8.0]])
    monkeypatch.setattr(
        parzen, "choose_bandwidth", lambda *_: parzen.Bandwidth(0.1, next(values), True)
    )
    run = finish(new_run())
    assert (run.progress[0].best_epoch, run.progress[0].best_log_likelihood) == (
        4,
        -8.0,
    )
    assert len(run.best[0]) == 8


def test_a_new_phase_keeps_the_generator_and_restarts_everything_else(new_run: NewRun) -> None:
    run = new_run(max_column_norm=0.4)
    start = copied(run)[0]
    run.run_epoch(nothing)
    trained = run.discriminator.networks[0]
    before: dict[str, Tensor] = {}
    run.run_epoch(lambda: before.update(copied(run)[0]))
    after = copied(run)[0]
    # `before` is one update older; the phase's end has moved the layers two places on.
    for layer in (0, 1):
        moved = after[f"generator.layers.{layer + 2}.weight"]
        difference = (moved - before[f"generator.layers.{layer}.weight"]).abs().max()
        assert 0 < difference < 0.2
    assert after["generator.layers.0.weight"].shape == (FRONT[0]["units"], 3)
    assert (after["generator.layers.1.bias"] == -2).all()
    assert not any(value.any() for name, value in after.items() if "velocity" in name)
    # A fresh discriminator of the same shape, from a stream of its own, within the bound.
    name = "discriminator.layers.0.weight"
    assert after[name].shape == start[name].shape
    assert after[name].abs().max() < 0.3
    assert not torch.equal(after[name], start[name])
    assert not torch.equal(after[name], trained.layers[0].weight)
    for weight in ("generator.layers.0.weight", name):
        assert after[weight].norm(dim=-1).max() <= 0.4 * (1 + 1e-6)
    counters = run.counters
    assert (counters.phase, counters.phase_epoch, counters.phase_updates) == (1, 0, 0)
    assert (counters.epoch, counters.updates) == (2, 6)


def test_a_new_phases_layers_draw_weights_of_their_own(new_run: NewRun) -> None:
    run = new_run(phases=[{"epochs": 1}, {"epochs": 1, "generator_front": FRONT}])
    first = copied(run)[0]["generator.layers.0.weight"].flatten() / 0.5
    run.run_epoch(nothing)
    front = copied(run)[0]["generator.layers.0.weight"].flatten() / FRONT[0]["irange"]
    assert not torch.allclose(front[: len(first)], first)


def test_all_layers_are_trained_in_a_new_phase(new_run: NewRun) -> None:
    run = new_run()
    run.run_epoch(nothing)
    run.run_epoch(nothing)
    before = copied(run)[0]
    run.run_epoch(nothing)
    for name, value in copied(run)[0].items():
        if name.startswith(("generator.", "discriminator.")):
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    "settings",
    [
        {"max_column_norm": 0.6},
        {"update": "alternating", "discriminator_steps": 2, "monitor_every": 2},
    ],
    ids=["simultaneous", "alternating"],
)
def test_a_run_put_down_anywhere_goes_on_as_if_nothing_happened(
    new_run: NewRun, settings: dict[str, Any]
) -> None:
    """Also right before and after the end of an epoch, of a phase and of the run."""
    run = new_run(**settings)
    states = [copied(run)]
    finish(run, lambda: states.append(copied(run)))
    expected = copied(run)
    assert [state[1]["counters"]["updates"] for state in states] == list(range(13))
    for state in states:
        again = new_run(**settings)
        again.restore([state])
        assert_same(copied(again), state)
        assert_same(copied(finish(again)), expected)
