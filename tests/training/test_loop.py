"""What a run visits, repeats, forgets and remembers."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench import seeding
from ganbench.errors import ConfigError
from ganbench.evaluation import diversity, parzen
from ganbench.evaluation.yardstick import Yardstick
from ganbench.training import naive, schedules
from ganbench.training.fused import engine
from ganbench.training.fused.replay import Replay
from ganbench.training.loop import SUMS, Run

from .conftest import FRONT, experiment, images

NewRun = Callable[..., Run]
State = tuple[dict[str, Tensor], dict[str, Any]]
ONE_PHASE = {"phases": [{"epochs": 2}]}
COLUMNS = [
    "epoch",
    "phase",
    "updates",
    "learning_rate",
    "momentum",
    "discriminator_loss",
    "generator_loss",
    "d_real",
    "d_fake",
    "discriminator_gradient_norm",
    "generator_gradient_norm",
    "validation_log_likelihood",
    "sigma",
    "collapse_share",
]
MONITORED = COLUMNS[-3:]


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


def test_a_run_repeats_itself_bit_for_bit(new_run: NewRun) -> None:
    assert_same(copied(finish(new_run())), copied(finish(new_run())))


@pytest.mark.parametrize("stream", ["init", "data_order", "noise", "dropout"])
def test_every_stream_shapes_the_weights(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    expected = copied(finish(new_run()))[0]
    plain = seeding.stream_seed

    def shifted(seed: int, name: str, *indices: int) -> int:
        return plain(seed + (name == stream), name, *indices)

    monkeypatch.setattr(seeding, "stream_seed", shifted)
    actual = copied(finish(new_run()))[0]
    name = "generator.layers.0.weight"
    assert not torch.equal(actual[name], expected[name])


def test_another_seed_is_another_run(new_run: NewRun) -> None:
    one, two = (copied(finish(new_run(seed)))[0] for seed in (0, 1))
    name = "generator.layers.3.weight"
    assert not torch.equal(one[name], two[name])


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_looking_more_often_does_not_change_the_weights(new_run: NewRun, update: str) -> None:
    often, rarely = (finish(new_run(monitor_every=n, update=update)) for n in (1, 1000))
    for (name, one), (_, two) in zip(
        copied(often)[0].items(), copied(rarely)[0].items(), strict=True
    ):
        if not name.startswith("best."):
            assert torch.equal(one, two), name
    columns = [name for name in COLUMNS if name not in MONITORED]
    for one, two in zip(often.progress[0].history, rarely.progress[0].history, strict=True):
        assert [one[name] for name in columns] == [two[name] for name in columns]
    actual = [row["validation_log_likelihood"] is not None for row in rarely.progress[0].history]
    # The last epoch of each phase is always looked at.
    assert actual == [False, True, False, True]


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


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch, engine)


def test_an_epoch_visits_every_image_once_in_a_new_order(new_run: NewRun, spy: Spy) -> None:
    finish(new_run())
    rows = [tuple(row.tolist()) for row in images().rows()]
    assert [len(call["real"]) for call in spy.calls] == [5, 5, 3] * 4
    orders = []
    for epoch in range(4):
        calls = spy.calls[3 * epoch : 3 * epoch + 3]
        seen = [tuple(row.tolist()) for call in calls for row in call["real"]]
        assert Counter(seen) == Counter(rows)
        orders.append([rows.index(row) for row in seen])
    assert len({tuple(order) for order in orders}) == 4


def test_fakes_are_as_many_as_the_batch_has_images_and_fresh(new_run: NewRun, spy: Spy) -> None:
    finish(new_run())
    assert [[len(noise) for noise in call["noise"]] for call in spy.calls] == [[5], [5], [3]] * 4
    drawn = torch.cat([call["noise"][0] for call in spy.calls])
    assert len(drawn.unique(dim=0)) == len(drawn) == 4 * 13


def test_masks_never_repeat(new_run: NewRun, spy: Spy) -> None:
    run = finish(new_run())
    step_size = engine.masks_per_update(run.discriminator.networks[0])
    assert [int(call["masks"].offset) for call in spy.calls] == [step_size * n for n in range(12)]
    assert {int(call["masks"].seed) for call in spy.calls} == {seeding.stream_seed(0, "dropout")}


def test_rates_count_minibatches_and_epochs_of_the_phase(new_run: NewRun, spy: Spy) -> None:
    settings = {"learning_rate_decay": 1.5, "momentum_epochs": 3}
    run = finish(new_run(**settings))
    training = run.settings
    expected = [
        (schedules.learning_rate(training, update), schedules.momentum(training, epoch))
        for update, epoch in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]
    ]
    # The second phase starts both again.
    assert [tuple(call["rates"]) for call in spy.calls] == expected * 2
    history = run.progress[0].history
    assert [(row["learning_rate"], row["momentum"]) for row in history] == [
        expected[2],
        expected[5],
    ] * 2
    assert expected[0] == (0.5, 0.5)
    assert expected[1][0] == pytest.approx(0.5 / 1.5)


def test_algorithm_1_gives_the_generator_every_kth_turn(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch, naive)
    finish(new_run(update="alternating", discriminator_steps=2, objective="minimax"))
    # Epochs of three batches do not disturb the count; a new phase starts it again.
    assert [call["generator_turn"] for call in spy.calls] == [False, True] * 6
    assert [len(call["noise"]) for call in spy.calls] == [1, 2] * 6
    assert {call["objective"] for call in spy.calls} == {"minimax"}


def test_more_discriminator_steps_than_batches_still_train_the_generator(new_run: NewRun) -> None:
    run = new_run(update="alternating", discriminator_steps=4, **ONE_PHASE)
    before = copied(run)[0]["generator.layers.0.weight"]
    first = run.run_epoch(nothing)[0]
    assert torch.equal(copied(run)[0]["generator.layers.0.weight"], before)
    assert first["generator_gradient_norm"] is None
    run.run_epoch(nothing)
    assert not torch.equal(copied(run)[0]["generator.layers.0.weight"], before)


def test_the_history_has_a_row_an_epoch(new_run: NewRun) -> None:
    run = finish(new_run(monitor_every=2))
    history = run.progress[0].history
    assert all(list(row) == COLUMNS for row in history)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [row["phase"] for row in history] == [1, 1, 2, 2]
    assert [row["updates"] for row in history] == [3, 6, 9, 12]
    assert [row["sigma"] is None for row in history] == [True, False] * 2


def test_the_history_holds_means_over_updates_and_the_last_gradients(
    new_run: NewRun, spy: Spy
) -> None:
    run = new_run()
    run.run_epoch(nothing)
    row = run.run_epoch(nothing)[0]
    outcomes = [call["outcome"] for call in spy.calls[3:]]
    expected = {
        "discriminator_loss": [o.discriminator_loss for o in outcomes],
        "generator_loss": [o.generator_loss for o in outcomes],
        "d_real": [o.real_logits.sigmoid().mean() for o in outcomes],
        "d_fake": [o.fake_logits.sigmoid().mean() for o in outcomes],
    }
    assert tuple(expected) == SUMS
    for name, values in expected.items():
        assert row[name] == pytest.approx(sum(values).item() / 3, rel=1e-6)
    for name in ("discriminator", "generator"):
        assert [getattr(o, f"{name}_norm") is None for o in outcomes] == [True, True, False]
        assert row[f"{name}_gradient_norm"] == getattr(outcomes[-1], f"{name}_norm").item() > 0


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


@pytest.mark.parametrize("in_weights", [False, True])
def test_divergence_is_named(new_run: NewRun, in_weights: bool) -> None:
    run = new_run(learning_rate=0.5 if in_weights else 1e30, **ONE_PHASE)

    def spoil() -> None:
        # The epoch's last update moves by it, after the losses were found finite.
        if in_weights and run.counters.batch == 2:
            run.generator.velocities[0].fill_(math.inf)

    what = (
        "validation_log_likelihood, weights"
        if in_weights
        else "discriminator_loss, generator_loss, .*weights"
    )
    finish(run, spoil)
    message = f"epoch 1: {what} not finite; lower training: learning_rate, or run another seed"
    assert re.fullmatch(message, run.progress[0].failure or "")
    assert run.progress[0].history == []


def test_samples_beyond_all_numbers_are_divergence(new_run: NewRun) -> None:
    """Finite weights can give samples whose likelihood is not."""
    run = new_run(phases=[{"epochs": 1}])
    run.validation = run.validation.fill_(1e30)
    finish(run)
    failure = run.progress[0].failure or ""
    assert failure.startswith("epoch 1: validation_log_likelihood not finite; ")


# Float32, where sums of other shapes are of another order, over 12 updates.
SEED_TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_seeds_together_are_the_seeds_alone(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch, update: str
) -> None:
    """What they draw bit for bit, what they compute up to rounding."""
    spy = Spy(monkeypatch, engine if update == "simultaneous" else naive)
    together = finish(new_run(5, 3, update=update))
    seen = spy.calls[:]
    spy.calls.clear()
    for s, seed in enumerate((5, 3)):
        alone = finish(new_run(seed, update=update))
        actual, expected = copied(together, s), copied(alone)
        assert torch.equal(actual[0]["noise"], expected[0]["noise"])
        for name, value in actual[0].items():
            torch.testing.assert_close(value, expected[0][name], **SEED_TOLERANCE)
        assert len(actual[1]["course"]["history"]) == 4
        assert actual[1]["counters"] == expected[1]["counters"]
        assert together.mask_seeds[s] == alone.mask_seeds[0]
    for one, two in zip(seen, spy.calls[:12], strict=True):
        assert torch.equal(one["real"], two["real"])
        assert all(torch.equal(a, b) for a, b in zip(one["noise"], two["noise"], strict=True))


def test_a_seed_that_diverges_leaves_the_others_their_course(new_run: NewRun) -> None:
    def spoil() -> None:
        if run.counters.updates == 4:
            run.generator.velocities[0][1].fill_(math.nan)

    run = new_run(0, 1, 2)
    expected = finish(new_run(0, 1, 2))
    finish(run, spoil)
    assert run.alive == [0, 2]
    assert (run.progress[1].failure or "").startswith("epoch 2: ")
    assert [len(progress.history) for progress in run.progress] == [4, 1, 4]
    for s in (0, 2):
        assert_same(copied(run, s), copied(expected, s))


def test_a_run_ends_when_no_seed_is_left(new_run: NewRun) -> None:
    run = finish(new_run(0, 1, learning_rate=1e30))
    assert (run.counters.epoch, run.alive) == (1, [])


@pytest.mark.parametrize("settings", [{}, {"learning_rate_decay": 1.3, "max_column_norm": 0.6}])
def test_an_epoch_from_a_tape_is_the_epoch(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """What a GPU's graph replays, here one call after the other; two phases of two epochs."""
    expected = finish(new_run(0, 1, **settings))
    monkeypatch.setattr(Run, "replays", True)
    actual = finish(new_run(0, 1, **settings))
    assert actual.recorded is not None
    for s in (0, 1):
        (tensors, state), (other, same) = copied(actual, s), copied(expected, s)
        assert state["counters"] == same["counters"]
        for name in tensors.keys() - {"noise"}:
            # The learning rate passes through float32 on the inputs.
            torch.testing.assert_close(tensors[name], other[name], rtol=1e-4, atol=1e-6)
        for one, two in zip(actual.progress[s].history, expected.progress[s].history, strict=True):
            assert one == pytest.approx(two, rel=1e-4)


def test_tf32_needs_a_gpu(new_run: NewRun) -> None:
    with pytest.raises(
        ConfigError, match=r"precision: got tf32, which only a GPU computes; use float32 or bfloa"
    ):
        new_run(precision="tf32")


def test_bfloat16_needs_a_compiler(new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganbench.training.loop.can_compile", lambda: False)
    with pytest.raises(
        ConfigError, match=r"with g\+\+ and Python's headers, which are not installe"
    ):
        new_run(precision="bfloat16")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_recorded_graph_is_the_updates_one_by_one(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU: 40 images make epochs long enough to replay; one seed's state after four epochs."""
    states = []
    for recorded in (True, False):
        if not recorded:
            monkeypatch.setattr(
                Replay, "run", lambda self, count: [self.update() for _ in range(count)]
            )
        run = new_run(0, 1, device="cuda", count=42)
        states.append(copied(finish(run), 1))
    for name, value in states[0][0].items():
        torch.testing.assert_close(value, states[1][0][name], rtol=1e-3, atol=1e-5)
    assert states[0][1]["counters"] == states[1][1]["counters"]
