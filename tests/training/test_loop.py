"""What a run visits, repeats, forgets and remembers."""

from collections import Counter

import pytest
import torch

from ganbench import seeding
from ganbench.training import naive, schedules
from ganbench.training.fused import engine
from ganbench.training.loop import SUMS

from .conftest import images
from .runs import ONE_PHASE, NewRun, Spy, assert_same, copied, finish, nothing

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
