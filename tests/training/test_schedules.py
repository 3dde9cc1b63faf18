"""Learning rate and momentum by the paper's formulas."""

from typing import Any

import pytest
from pydantic import ValidationError

from ganbench.config import Training
from ganbench.training.schedules import decay, learning_rate, momentum


def settings(**changes: Any) -> Training:
    plain: dict[str, Any] = {"batch_size": 100, "learning_rate": 0.1, "phases": [{"epochs": 1}]}
    return Training.model_validate(plain | changes)


def test_the_first_update_uses_the_initial_rate() -> None:
    assert learning_rate(settings(), 0) == 0.1


@pytest.mark.parametrize("update", [1, 500, 150_000])
def test_the_rate_is_divided_by_the_decay_after_every_minibatch(update: int) -> None:
    assert learning_rate(settings(), update) == pytest.approx(0.1 / 1.000004**update, rel=1e-12)


def test_the_rate_never_falls_below_the_floor() -> None:
    # 0.1 / 1.000004^t reaches 1e-6 at t = ln(1e5) / ln(1.000004) = 2,878,237.
    assert learning_rate(settings(), 2_878_000) > 1e-6
    assert learning_rate(settings(), 2_879_000) == 1e-6
    assert learning_rate(settings(learning_rate_floor=0.05), 500_000) == 0.05


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(1, 0.5), (2, 0.5 + 0.2 / 249), (126, 0.5 + 0.2 * 125 / 249), (250, 0.7), (10_000, 0.7)],
)
def test_momentum_rises_linearly_over_250_epochs(epoch: int, expected: float) -> None:
    assert momentum(settings(), epoch) == pytest.approx(expected, rel=1e-12)


def test_momentum_follows_its_settings() -> None:
    custom = settings(momentum_initial=0.2, momentum_final=0.1, momentum_epochs=3)
    assert [momentum(custom, epoch) for epoch in (1, 2, 3, 4)] == pytest.approx(
        [0.2, 0.15, 0.1, 0.1], rel=1e-12
    )


def test_annealing_ends_at_its_rate() -> None:
    """Ten epochs of five minibatches, the last four annealed; each epoch divides by one number."""
    annealed = settings(phases=[{"epochs": 10}], anneal_epochs=4, anneal_to=0.001)
    rates = [learning_rate(annealed, update, 5) for update in range(51)]
    plain = [learning_rate(settings(), update) for update in range(31)]
    assert rates[:31] == plain
    assert rates[50] == pytest.approx(0.001, rel=1e-12)
    for update in range(50):
        divisor = decay(annealed, update // 5, 5)
        assert rates[update] / rates[update + 1] == pytest.approx(divisor, rel=1e-12)
    # A fall by the same factor in each of the 20 updates.
    assert decay(annealed, 6, 5) == decay(annealed, 9, 5) > decay(annealed, 5, 5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"anneal_epochs": 2}, "'anneal_epochs' and 'anneal_to' need each other"),
        ({"anneal_to": 0.1}, "'anneal_epochs' and 'anneal_to' need each other"),
        ({"anneal_epochs": 9999, "anneal_to": 0.1}, "needs one phase of at least as many epochs"),
    ],
)
def test_annealing_that_does_not_fit_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**wrong)
