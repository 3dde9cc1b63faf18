"""Seeds of one job, runs that diverge, and what a device must have."""

import math
import re
from typing import Any

import pytest
import torch

from ganbench.errors import ConfigError
from ganbench.training import naive
from ganbench.training.fused import engine
from ganbench.training.fused.replay import Replay
from ganbench.training.loop import Run

from .runs import ONE_PHASE, NewRun, Spy, assert_same, copied, finish

# Float32, where sums of other shapes are of another order, over 12 updates.
SEED_TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}


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
    message = f"epoch 1: {what} not finite; lower the learning_rate, or run another seed"
    assert re.fullmatch(message, run.progress[0].failure or "")
    assert run.progress[0].history == []


def test_samples_beyond_all_numbers_are_divergence(new_run: NewRun) -> None:
    """Finite weights can give samples whose likelihood is not."""
    run = new_run(phases=[{"epochs": 1}])
    run.validation = run.validation.fill_(1e30)
    finish(run)
    failure = run.progress[0].failure or ""
    assert failure.startswith("epoch 1: validation_log_likelihood not finite; ")


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
