"""Algorithm 1's update against the formulas written out, in float64."""

from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError

from ganbench.config import Objective
from ganbench.training import naive
from ganbench.training.fused import engine
from ganbench.training.fused.engine import Masks, Outcome
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from tests.golden.cases import CONVOLUTIONAL, DENSE, TWO_PHASES, trained

from .conftest import experiment
from .games import LAYERS, SEEDS, Noise, Slow, batches, players, rates_of

pytestmark = pytest.mark.usefixtures("_float64")


@pytest.mark.parametrize("objective", ["non_saturating", "minimax"])
def test_alternating_updates_follow_algorithm_1(objective: str) -> None:
    """k = 3 discriminator steps on fresh noise, then a generator step on fresh noise, twice."""
    generator, discriminator = players()
    slow, noise = [Slow(generator, discriminator, s) for s in (0, 1)], Noise()
    for number, real in enumerate(batches(6)):
        turn, before = number % 3 == 2, len(noise.given)
        offset = 9 * number
        masks = Masks(SEEDS, torch.tensor(offset))
        common = generator, discriminator, real, noise, masks, objective, rates_of(number)
        naive.update(*common, "alternating", generator_turn=turn)
        fresh = noise.given[before:]
        assert len(fresh) == (2 if turn else 1)
        for s, one in enumerate(slow):
            one.discriminate(real[s], fresh[0][s], offset, rates_of(number))
            if turn:
                one.deceive(fresh[1][s], offset, objective, rates_of(number))
            one.assert_equal(generator, discriminator)


@pytest.mark.parametrize("objective", get_args(Objective))
def test_confident_float32_logits_do_not_overflow(objective: Objective) -> None:
    """exp(89) is beyond float32: a softplus that takes it loses the gradient to NaN."""
    logits = torch.tensor([-95.0, 89.0, 95.0, 1e4], dtype=torch.float32, requires_grad=True)
    for loss in naive.losses(logits, logits.flip(0), objective):
        assert loss.isfinite()
        assert torch.autograd.grad(loss, logits, retain_graph=True)[0].isfinite().all()


def one_update(turn: bool) -> tuple[Player, Player, Outcome]:
    generator, discriminator = players()
    masks, rates = Masks(SEEDS, torch.tensor(0)), Rates(0.1, 0.5)
    common = generator, discriminator, batches(1)[0], Noise(), masks, "non_saturating", rates
    return generator, discriminator, naive.update(*common, "alternating", generator_turn=turn)


def test_a_discriminator_step_leaves_the_generator_untouched() -> None:
    generator, discriminator, outcome = one_update(turn=False)
    assert torch.equal(generator.weights, players()[0].weights)
    assert not generator.velocity.any()
    assert outcome.generator_norm is None
    assert not torch.equal(discriminator.weights, players()[1].weights)


def test_the_generators_step_leaves_the_discriminator_untouched() -> None:
    with_turn, without = one_update(turn=True), one_update(turn=False)
    assert torch.equal(with_turn[1].weights, without[1].weights)
    assert not torch.equal(with_turn[0].weights, without[0].weights)


@pytest.mark.parametrize("turn", [False, True])
def test_no_gradient_is_left_behind(turn: bool) -> None:
    generator, discriminator, outcome = one_update(turn)
    for player in (generator, discriminator):
        assert all(p.grad is None for network in player.networks for p in network.parameters())
    tensors = (outcome.discriminator_loss, outcome.generator_loss, outcome.real_logits)
    assert not any(tensor.requires_grad for tensor in (*tensors, outcome.fake_logits))


def test_an_updates_masks_do_not_overlap_those_of_the_next() -> None:
    assert engine.masks_per_update(players()[1].networks[0]) == 3 * LAYERS


@pytest.mark.parametrize("objective", get_args(Objective))
@pytest.mark.parametrize("networks", [DENSE, CONVOLUTIONAL, TWO_PHASES])
def test_a_naive_run_is_a_fused_run(networks: dict[str, Any], objective: Objective) -> None:
    """Twenty updates in float64: every loss, norm, weight and sample to 1e-10."""
    settings = {"objective": objective, "max_column_norm": 0.8}
    fused = trained(networks, **settings)
    assert trained(networks, **settings, engine="naive") == pytest.approx(
        fused, rel=1e-10, abs=1e-10
    )


def test_the_naive_engine_computes_in_float32() -> None:
    with pytest.raises(ValidationError, match="'engine' naive computes in float32, got bfloat16"):
        trained(DENSE, engine="naive", precision="bfloat16")


def test_the_engine_is_no_part_of_older_digests() -> None:
    settings = experiment()
    assert settings.training_digest == experiment(engine="fused").training_digest
    assert settings.training_digest != experiment(engine="naive").training_digest
