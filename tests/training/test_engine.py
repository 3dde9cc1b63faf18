"""One backward pass for both players against the formulas and against two graphs of autograd."""

import copy
import dataclasses
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from ganbench import models, seeding
from ganbench.config import Adversarial, Objective, load_experiment
from ganbench.errors import ConfigError
from ganbench.training import naive, networks
from ganbench.training.fused import dense_passes, engine
from ganbench.training.fused import players as players_module
from ganbench.training.fused.engine import Masks, Outcome
from ganbench.training.fused.passes import Buffers, Rates
from ganbench.training.fused.players import Player

from .games import HIDDEN, PIXELS, SEEDS, SIZE, TOLERANCE, Noise, Slow, batches, players, rates_of

OBJECTIVES = list(get_args(Objective))
EXPERIMENTS = ["mnist", "tfd", "cifar10_fc", "cifar10_conv"]
SHAPES = {"mnist": (1, 28, 28), "tfd": (1, 48, 48), "cifar10": (3, 32, 32)}
RATES = Rates(0.1, 0.5)
# Both in float64; sums of up to 8,000 terms in another order.
RELATIVE = 1e-10

float64 = pytest.mark.usefixtures("_float64")


def masks(offset: int) -> Masks:
    return Masks(SEEDS, torch.tensor(offset))


@float64
@pytest.mark.parametrize("rule", ["fused", "naive"])
@pytest.mark.parametrize("objective", OBJECTIVES[:2])
def test_updates_follow_the_formulas(objective: str, rule: str) -> None:
    generator, discriminator = players()
    slow, noise = [Slow(generator, discriminator, s) for s in (0, 1)], Noise()
    for number, real in enumerate(batches(4)):
        rates, given = rates_of(number), noise()
        pair, rest = (generator, discriminator, real), (masks(9 * number), objective, rates)
        if rule == "fused":
            outcome = engine.update(*pair, given, *rest, with_norms=True)
        else:
            outcome = naive.update(*pair, lambda given=given: given, *rest, "simultaneous")
        for s, one in enumerate(slow):
            one.simultaneous(real[s], given[s], 9 * number, objective, rates)
            one.assert_equal(generator, discriminator)
            for norm, gradients in (
                (outcome.discriminator_norm, one.d_gradients),
                (outcome.generator_norm, one.g_gradients),
            ):
                expected = torch.cat([gradient.flatten() for gradient in gradients]).norm()
                torch.testing.assert_close(norm[s], expected, **TOLERANCE)


def narrow(experiment: Adversarial) -> Adversarial:
    """The same network with 6 units or 2 channels a layer, but for what must fit the image."""
    settings = experiment.model_dump(mode="json")
    generator, discriminator = (settings[name]["layers"] for name in ("generator", "discriminator"))
    for layer in generator[:-1] + discriminator[:-1]:
        layer["channels" if "channels" in layer else "units"] = 6
    last = generator[-1]
    if last["kind"] == "transposed_convolution":
        last["channels"] = 2
        generator[-2]["units"] = 2 * last["size"] ** 2
    for layer in generator:
        if layer.get("sparse_weights"):
            layer["sparse_weights"] = 2
    return Adversarial.model_validate(settings)


@float64
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_one_pass_equals_naive_autograd(name: str, objective: str) -> None:
    """Every paper network, all objectives: gradients, from velocities after one update."""
    experiment = narrow(load_experiment(f"configs/experiments/{name}.yaml"))
    shape = SHAPES[experiment.dataset]
    pixels = shape[0] * shape[1] * shape[2]
    built: list[list[Any]] = [[], []]
    for seed in (0, 1):
        stream = seeding.generator(seed, "init", 0)
        means = torch.full((pixels,), 0.3)
        built[0].append(networks.build_generator(experiment.generator, shape, means, stream))
        built[1].append(networks.build_discriminator(experiment.discriminator, shape, stream))
    for network in built[0] + built[1]:
        network.double()
    plain = [Player(copy.deepcopy(networks), None) for networks in built]
    pair = [Player(networks, None) for networks in built]
    stream = torch.Generator().manual_seed(1)
    real = torch.rand(2, 4, pixels, generator=stream)
    noise = torch.randn(2, 4, experiment.generator.noise_dim, generator=stream)
    rest = masks(3), objective, RATES
    outcome = engine.update(*pair, real, noise, *rest, with_norms=True)
    expected = naive.update(*plain, real, lambda: noise, *rest, "simultaneous")
    assert_same_outcome(outcome, expected)
    for mine, theirs in zip(pair, plain, strict=True):
        # One scale for a network's gradients: hinge's last bias has a gradient of 0 exactly.
        scale = theirs.velocity.norm()
        assert scale > 0
        for one, two in zip(mine.velocities, theirs.velocities, strict=True):
            assert (one - two).norm() <= RELATIVE * scale


def assert_same_outcome(one: Outcome, two: Outcome) -> None:
    for field in dataclasses.fields(Outcome):
        mine, theirs = getattr(one, field.name), getattr(two, field.name)
        torch.testing.assert_close(mine, theirs, **TOLERANCE)


@float64
def test_confident_logits_do_not_break_the_players_gradients() -> None:
    """At D(x) = 1 and D(G(z)) = 0 to the last digit, where a ratio of slopes ends."""
    pair, plain = players(), players()
    for discriminator in (pair[1], plain[1]):
        discriminator.values[-1].fill_(-800.0)
        discriminator.refresh()
    real, noise = batches(1)[0], Noise()()
    rest = masks(0), "non_saturating", RATES
    engine.update(*pair, real, noise, *rest)
    naive.update(*plain, real, lambda: noise, *rest, "simultaneous")
    for mine, theirs in zip(pair, plain, strict=True):
        torch.testing.assert_close(mine.velocity, theirs.velocity, **TOLERANCE)


@float64
def test_a_seed_among_others_equals_the_seed_alone() -> None:
    """After 100 updates in float64; streams are compared bit for bit in test_seeds_together.py."""
    together = players(1.2)
    alone = [Player([copy.deepcopy(player.networks[1])], 1.2) for player in players(1.2)]
    noise = Noise()
    for number, real in enumerate(batches(100)):
        given, offset = noise(), torch.tensor(9 * number)
        rest = "non_saturating", rates_of(0)
        engine.update(*together, real, given, Masks(SEEDS, offset), *rest)
        engine.update(*alone, real[1:], given[1:], Masks(SEEDS[1:], offset), *rest)
    for one, two in zip(together, alone, strict=True):
        for value, expected in zip(one.values, two.values, strict=True):
            torch.testing.assert_close(value[1], expected[0], rtol=1e-9, atol=1e-9)


def test_a_seed_that_is_not_finite_leaves_the_others_alone() -> None:
    sound, spoilt = players(1.2), players(1.2)
    noise = Noise()
    for value in spoilt[0].values:
        value[0].fill_(torch.nan)
    for number, real in enumerate(batches(3)):
        given = noise()
        for pair in (sound, spoilt):
            engine.update(*pair, real, given, masks(9 * number), "minimax", RATES)
    for one, two in zip(sound, spoilt, strict=True):
        assert all(torch.equal(a[1], b[1]) for a, b in zip(one.values, two.values, strict=True))
        assert any(b[0].isnan().any() for b in two.values)


def norms(player: Player) -> Tensor:
    weights = [layer.weight for network in player.networks for layer in network.layers]
    return torch.cat([weight.detach().norm(dim=-1).flatten() for weight in weights])


BOUND = 1.2


@float64
def test_column_norms_are_bounded_before_the_first_update() -> None:
    for before, after in zip(players(), players(BOUND), strict=True):
        assert (norms(before) > BOUND).any()
        assert (norms(before) < BOUND).any()
        torch.testing.assert_close(norms(after), norms(before).clip(max=BOUND), **TOLERANCE)
        for old, new in zip(before.networks[1].layers, after.networks[1].layers, strict=True):
            # Each piece's and unit's weights keep their direction; biases stay.
            scale = (BOUND / old.weight.norm(dim=-1, keepdim=True)).clip(max=1)
            torch.testing.assert_close(new.weight, old.weight * scale, **TOLERANCE)
            assert torch.equal(new.bias, old.bias)


@float64
@pytest.mark.parametrize("kind", ["simultaneous", "alternating"])
def test_column_norms_are_bounded_after_every_update(kind: str) -> None:
    pair = players(BOUND)
    for number, real in enumerate(batches(3)):
        before = [norms(player) for player in pair]
        rest = masks(9 * number), "non_saturating", Rates(0.5, 0.5)
        if kind == "simultaneous":
            engine.update(*pair, real, Noise()(), *rest)
        else:
            naive.update(*pair, real, Noise(), *rest, "alternating")
        for player, old in zip(pair, before, strict=True):
            assert norms(player).max() <= BOUND * (1 + 1e-12)
            assert not torch.equal(norms(player), old)


def test_only_dense_weights_are_bounded() -> None:
    layers = [models.ConvolutionalMaxout((1, 4, 4), 2, 2, 3, 1, 2, 2), models.Linear(8, 1)]
    network = models.Discriminator(layers, 0.8, 0.5)
    for parameter in network.parameters():
        parameter.data.fill_(3.0)
    player = Player([network], 1.0)
    assert player.bounds == [None, None, 1.0, None]
    assert (layers[0].weight == 3).all()
    assert (layers[1].bias == 3).all()
    assert layers[1].weight.norm().item() == pytest.approx(1.0)


def test_the_networks_own_parameters_are_always_current() -> None:
    generator, discriminator = players()
    engine.update(
        generator, discriminator, batches(1)[0], Noise()(), masks(0), "non_saturating", RATES
    )
    for player in (generator, discriminator):
        for s, network in enumerate(player.networks):
            for parameter, value in zip(network.parameters(), player.values, strict=True):
                assert parameter.data_ptr() == value[s].data_ptr()
                assert torch.equal(parameter, value[s])


def test_a_layer_that_couples_examples_is_refused() -> None:
    network = models.Discriminator([nn.BatchNorm1d(3), models.Linear(3, 1)], 1.0, 1.0)
    with pytest.raises(
        ConfigError,
        match=r"^training: update: simultaneous shares one backward pass .* got BatchNorm1d; "
        r"use update: alternating$",
    ):
        Player([network], None)


def bfloat16_game() -> tuple[Player, Player, Outcome]:
    pair = tuple(Player(player.networks, 1.2, "bfloat16") for player in players())
    for number, real in enumerate(batches(5)):
        outcome = engine.update(
            *pair, real, Noise()(), masks(9 * number), "non_saturating", Rates(0.1, 0.5), True
        )
    return *pair, outcome


def test_bfloat16_products_have_float32_weights_momentum_and_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Uncompiled: the compiler takes longer than all other tests here; benchmarks/ compile.
    monkeypatch.setattr(players_module, "_compiled_move", lambda: players_module._move)
    generator, discriminator, outcome = bfloat16_game()
    exact = players(1.2)
    for number, real in enumerate(batches(5)):
        last = engine.update(
            *exact, real, Noise()(), masks(9 * number), "non_saturating", Rates(0.1, 0.5), True
        )
    for player, same in zip((generator, discriminator), exact, strict=True):
        assert player.weights.dtype == player.velocity.dtype == torch.float32
        assert torch.equal(player.compute, player.weights.bfloat16())
        assert not torch.equal(player.weights, same.weights)
        # bfloat16 has 8 bits: 5 updates of relative error 2^-8 each.
        assert (player.velocity - same.velocity).norm() < 0.05 * same.velocity.norm()
    for name in ("discriminator_loss", "generator_loss", "discriminator_norm", "generator_norm"):
        actual, expected = getattr(outcome, name), getattr(last, name)
        torch.testing.assert_close(actual.float(), expected.float(), rtol=0.05, atol=0)
    assert outcome.discriminator_loss.dtype == torch.float32


def test_float32_products_of_either_library_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """One network takes oneDNN's product where there is one; sums differ in their order alone."""
    actual = []
    for library in (dense_passes.ONEDNN_LINEAR, None):
        monkeypatch.setattr(dense_passes, "ONEDNN_LINEAR", library)
        pair = [Player([player.networks[0]], 1.2) for player in players()]
        noise = Noise()
        for number, real in enumerate(batches(3)):
            drawn = Masks(SEEDS[:1], torch.tensor(9 * number))
            engine.update(*pair, real[:1], noise()[:1], drawn, "non_saturating", rates_of(0))
        actual.append(torch.cat([player.weights for player in pair]))
    torch.testing.assert_close(*actual, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ties_of_pieces_go_to_the_first(dtype: torch.dtype) -> None:
    affine = torch.tensor([[1.0, 3.0, 2.0], [1.0, 3.0, 5.0], [0.0, 3.0, 5.0]]).to(dtype)
    largest, grad = affine.amax(0), torch.tensor([2.0, -3.0, 0.5]).to(dtype)
    routed = dense_passes._to_winners(affine, largest, grad)
    assert routed.tolist() == [[2, -3, 0], [0, 0, 0.5], [0, 0, 0]]
    dense_passes._first_winners_(affine, largest.unsqueeze(0))
    assert affine.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_an_input_gradient_after_learning_is_refused() -> None:
    """The weights have moved then, and the gradient would be of another layer."""
    generator, _ = players()
    layer = generator.passes[1]
    layer.forward(torch.rand(2, SIZE, HIDDEN))
    layer.backward(torch.ones(2, SIZE, PIXELS))
    layer.input_gradient()
    generator.learn(1, RATES)
    with pytest.raises(RuntimeError, match="input_gradient comes before learn"):
        layer.input_gradient()
    layer.backward(torch.ones(2, SIZE, PIXELS))
    layer.input_gradient()


def test_a_shorter_minibatch_leaves_the_buffers_of_a_whole_one() -> None:
    """A recorded CUDA graph goes on writing to them."""
    buffers, like = Buffers(), torch.zeros(1)
    whole = buffers.take("product", (2, 5, 3), like)
    last = buffers.take("product", (2, 4, 3), like)
    assert last.data_ptr() != whole.data_ptr()
    assert buffers.take("product", (2, 5, 3), like) is whole
