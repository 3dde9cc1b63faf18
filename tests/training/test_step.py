"""Updates of both players against the formulas written out, in float64."""

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import ganbench_kernels
from ganbench import models
from ganbench.training.step import (
    Masks,
    Outcome,
    Player,
    Rates,
    alternating_update,
    masks_per_update,
    simultaneous_update,
)

# Both sides in float64: only the order of sums differs, over a few updates.
TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}
NOISE, HIDDEN, PIXELS = 3, 6, 5
LAYERS = 3
OBJECTIVES = ["non_saturating", "minimax"]
SEED = torch.tensor(77)
Weights = list[Tensor]


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def players(bound: float | None = None) -> tuple[Player, Player]:
    """A generator of two layers and a discriminator of two maxout layers and a logit."""
    stream = torch.Generator().manual_seed(3)
    generator = models.Generator(
        [models.Linear(NOISE, HIDDEN, "relu"), models.Linear(HIDDEN, PIXELS, "sigmoid")]
    )
    discriminator = models.Discriminator(
        [models.Maxout(PIXELS, 4, 3), models.Maxout(4, 3, 2), models.Linear(3, 1)], 0.8, 0.5
    )
    for network in (generator, discriminator):
        for parameter in network.parameters():
            # Small enough that 1 - D(x), written so, keeps its digits.
            parameter.data = 0.6 * torch.randn(parameter.shape, generator=stream)
    return Player(generator, bound), Player(discriminator, bound)


def batches(count: int, size: int = 7) -> list[Tensor]:
    stream = torch.Generator().manual_seed(5)
    return [torch.rand(size, PIXELS, generator=stream) for _ in range(count)]


class Noise:
    """Gives noise of as many rows as a batch has, and keeps what it gave."""

    def __init__(self, size: int = 7) -> None:
        self.stream, self.size = torch.Generator().manual_seed(9), size
        self.given: list[Tensor] = []

    def __call__(self) -> Tensor:
        self.given.append(torch.randn(self.size, NOISE, generator=self.stream))
        return self.given[-1]


def generate(weights: Weights, noise: Tensor) -> Tensor:
    first, first_bias, last, last_bias = weights
    hidden = noise @ first.T + first_bias
    hidden = torch.where(hidden > 0, hidden, 0.0)
    return 1 / (1 + torch.exp(-(hidden @ last.T + last_bias)))


def judge(weights: Weights, images: Tensor, offset: int) -> Tensor:
    """D(x), a probability, with dropout masks `offset`, `offset` + 1, `offset` + 2."""
    h = images
    for layer, keep in enumerate((0.8, 0.5, 0.5)):
        ones = torch.ones(h.shape)
        h = h * ganbench_kernels.dropout(ones, keep, SEED, torch.tensor(offset + layer))
        weight, bias = weights[2 * layer : 2 * layer + 2]
        if weight.dim() == 3:
            pieces = [h @ piece.T + b for piece, b in zip(weight, bias, strict=True)]
            h = torch.stack(pieces).amax(0)
        else:
            h = h @ weight.T + bias
    return 1 / (1 + torch.exp(-h[:, 0]))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """0.5 (BCE(D(x), 1) + BCE(D(G(z)), 0))."""
    return 0.5 * (-real.log().mean() - (1 - fake).log().mean())


def generator_loss(fake: Tensor, objective: str) -> Tensor:
    """BCE(D(G(z)), 1), or log(1 - D(G(z))) of the paper's text."""
    return -fake.log().mean() if objective == "non_saturating" else (1 - fake).log().mean()


class Slow:
    """Both players' weights and velocities, updated by the formulas."""

    def __init__(self, generator: Player, discriminator: Player) -> None:
        self.g = [p.detach().clone().requires_grad_() for p in generator.parameters]
        self.d = [p.detach().clone().requires_grad_() for p in discriminator.parameters]
        self.g_velocity = [torch.zeros(p.shape) for p in self.g]
        self.d_velocity = [torch.zeros(p.shape) for p in self.d]

    def simultaneous(
        self, real: Tensor, noise: Tensor, offset: int, objective: str, rates: Rates
    ) -> None:
        fake = generate(self.g, noise)
        probability = judge(self.d, fake, offset + LAYERS)
        d_loss = discriminator_loss(
            judge(self.d, real, offset), judge(self.d, fake.detach(), offset + LAYERS)
        )
        d_gradients = torch.autograd.grad(d_loss, self.d)
        g_gradients = torch.autograd.grad(generator_loss(probability, objective), self.g)
        self.d = self.moved(self.d, self.d_velocity, d_gradients, rates)
        self.g = self.moved(self.g, self.g_velocity, g_gradients, rates)

    def discriminate(self, real: Tensor, noise: Tensor, offset: int, rates: Rates) -> None:
        fake = generate(self.g, noise).detach()
        loss = discriminator_loss(judge(self.d, real, offset), judge(self.d, fake, offset + LAYERS))
        gradients = torch.autograd.grad(loss, self.d)
        self.d = self.moved(self.d, self.d_velocity, gradients, rates)

    def deceive(self, noise: Tensor, offset: int, objective: str, rates: Rates) -> None:
        probability = judge(self.d, generate(self.g, noise), offset + 2 * LAYERS)
        gradients = torch.autograd.grad(generator_loss(probability, objective), self.g)
        self.g = self.moved(self.g, self.g_velocity, gradients, rates)

    @staticmethod
    def moved(
        weights: Weights, velocity: Weights, gradients: tuple[Tensor, ...], rates: Rates
    ) -> Weights:
        for v, gradient in zip(velocity, gradients, strict=True):
            v.copy_(rates.momentum * v - rates.learning_rate * gradient)
        return [(p + v).detach().requires_grad_() for p, v in zip(weights, velocity, strict=True)]

    def assert_equal(self, generator: Player, discriminator: Player) -> None:
        for mine, theirs in (
            (self.g, generator.parameters),
            (self.d, discriminator.parameters),
            (self.g_velocity, generator.velocity),
            (self.d_velocity, discriminator.velocity),
        ):
            for one, two in zip(mine, theirs, strict=True):
                torch.testing.assert_close(two.detach(), one.detach(), **TOLERANCE)


def rates_of(number: int) -> Rates:
    """Others at every update, so that each is seen to be used."""
    return Rates(0.3 / (number + 1), 0.5 + 0.1 * number)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_simultaneous_updates_follow_the_formulas(objective: str) -> None:
    generator, discriminator = players()
    slow, noise = Slow(generator, discriminator), Noise()
    for number, real in enumerate(batches(4)):
        offset = 9 * number
        simultaneous_update(
            generator,
            discriminator,
            real,
            noise,
            Masks(SEED, torch.tensor(offset)),
            objective,
            rates_of(number),
        )
        assert len(noise.given) == number + 1
        slow.simultaneous(real, noise.given[-1], offset, objective, rates_of(number))
        slow.assert_equal(generator, discriminator)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_alternating_updates_follow_algorithm_1(objective: str) -> None:
    """k = 3 discriminator steps on fresh noise, then a generator step on fresh noise, twice."""
    generator, discriminator = players()
    slow, noise = Slow(generator, discriminator), Noise()
    for number, real in enumerate(batches(6)):
        turn, before = number % 3 == 2, len(noise.given)
        offset = 9 * number
        alternating_update(
            generator,
            discriminator,
            real,
            noise,
            Masks(SEED, torch.tensor(offset)),
            objective,
            rates_of(number),
            generator_turn=turn,
        )
        fresh = noise.given[before:]
        assert len(fresh) == (2 if turn else 1)
        slow.discriminate(real, fresh[0], offset, rates_of(number))
        if turn:
            slow.deceive(fresh[1], offset, objective, rates_of(number))
        slow.assert_equal(generator, discriminator)


def one_update(turn: bool | None) -> tuple[Player, Player, Outcome]:
    """A simultaneous update where `turn` is None, else an alternating one."""
    generator, discriminator = players()
    masks, rates = Masks(SEED, torch.tensor(0)), Rates(0.1, 0.5)
    arguments = (generator, discriminator, batches(1)[0], Noise(), masks, "non_saturating", rates)
    if turn is None:
        outcome = simultaneous_update(*arguments)
    else:
        outcome = alternating_update(*arguments, generator_turn=turn)
    return generator, discriminator, outcome


def same(one: Player, two: Player) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters, two.parameters, strict=True))


def test_a_discriminator_step_leaves_the_generator_untouched() -> None:
    generator, discriminator, outcome = one_update(turn=False)
    assert same(generator, players()[0])
    assert not any(v.any() for v in generator.velocity)
    assert outcome.generator_gradients == []
    assert not same(discriminator, players()[1])


def test_the_generators_step_leaves_the_discriminator_untouched() -> None:
    with_turn, without = one_update(turn=True), one_update(turn=False)
    assert same(with_turn[1], without[1])
    assert not same(with_turn[0], without[0])


@pytest.mark.parametrize("turn", [None, False, True])
def test_no_gradient_is_left_behind(turn: bool | None) -> None:
    generator, discriminator, outcome = one_update(turn)
    assert all(p.grad is None for p in generator.parameters + discriminator.parameters)
    tensors = (outcome.discriminator_loss, outcome.generator_loss, outcome.real_logits)
    assert not any(tensor.requires_grad for tensor in (*tensors, outcome.fake_logits))


def test_an_outcome_is_what_the_update_saw() -> None:
    generator, discriminator = players()
    slow = Slow(generator, discriminator)
    real, noise = batches(1)[0], Noise()
    outcome = simultaneous_update(
        generator,
        discriminator,
        real,
        noise,
        Masks(SEED, torch.tensor(4)),
        "non_saturating",
        Rates(0.1, 0.0),
    )
    judged = judge(slow.d, real, 4), judge(slow.d, generate(slow.g, noise.given[0]), 4 + LAYERS)
    torch.testing.assert_close(outcome.real_logits.sigmoid(), judged[0].detach(), **TOLERANCE)
    torch.testing.assert_close(outcome.fake_logits.sigmoid(), judged[1].detach(), **TOLERANCE)
    loss = discriminator_loss(*judged).detach()
    torch.testing.assert_close(outcome.discriminator_loss, loss, **TOLERANCE)
    loss = generator_loss(judged[1], "non_saturating").detach()
    torch.testing.assert_close(outcome.generator_loss, loss, **TOLERANCE)
    # Without momentum the step is -lr g.
    for player, gradients, before in (
        (generator, outcome.generator_gradients, slow.g),
        (discriminator, outcome.discriminator_gradients, slow.d),
    ):
        for parameter, gradient, old in zip(player.parameters, gradients, before, strict=True):
            torch.testing.assert_close(parameter.detach(), (old - 0.1 * gradient).detach())


def test_an_updates_masks_do_not_overlap_those_of_the_next() -> None:
    assert masks_per_update(players()[1].network) == 3 * LAYERS


def norms(player: Player) -> Tensor:
    weights = [module.weight for module in player.network.layers]
    return torch.cat([weight.detach().norm(dim=-1).flatten() for weight in weights])


BOUND = 1.2


def test_column_norms_are_bounded_before_the_first_update() -> None:
    free, bounded = players(), players(BOUND)
    for before, after in zip(free, bounded, strict=True):
        assert (norms(before) > BOUND).any()
        assert (norms(before) < BOUND).any()
        torch.testing.assert_close(norms(after), norms(before).clip(max=BOUND), **TOLERANCE)
        for old, new in zip(before.network.layers, after.network.layers, strict=True):
            # Each piece's and unit's weights keep their direction; biases stay.
            scale = (BOUND / old.weight.norm(dim=-1, keepdim=True)).clip(max=1)
            torch.testing.assert_close(new.weight, old.weight * scale, **TOLERANCE)
            assert torch.equal(new.bias, old.bias)


@pytest.mark.parametrize("update", [simultaneous_update, alternating_update])
def test_column_norms_are_bounded_after_every_update(update: Callable[..., Outcome]) -> None:
    generator, discriminator = players(BOUND)
    turn = {"generator_turn": True} if update is alternating_update else {}
    for number, real in enumerate(batches(3)):
        before = copy.deepcopy((norms(generator), norms(discriminator)))
        masks = Masks(SEED, torch.tensor(9 * number))
        rates = Rates(0.5, 0.5)
        update(generator, discriminator, real, Noise(), masks, "non_saturating", rates, **turn)
        for player, old in zip((generator, discriminator), before, strict=True):
            assert norms(player).max() <= BOUND * (1 + 1e-12)
            assert not torch.equal(norms(player), old)


def test_only_dense_weights_are_bounded() -> None:
    layers = [
        models.ConvolutionalMaxout((1, 4, 4), 2, 2, 3, 1, 2, 2),
        models.Linear(8, 1),
    ]
    network = models.Discriminator(layers, 0.8, 0.5)
    for parameter in network.parameters():
        parameter.data.fill_(3.0)
    player = Player(network, 1.0)
    assert player.bounds == [None, None, 1.0, None]
    assert (layers[0].weight == 3).all()
    assert (layers[1].bias == 3).all()
    assert layers[1].weight.norm().item() == pytest.approx(1.0)


def test_momentum_and_learning_rate() -> None:
    """v <- m v - lr g; p <- p + v, two steps with numbers."""
    network = models.Generator([models.Linear(1, 1)])
    player = Player(network, None)
    player.parameters[0].data.fill_(1.0)
    gradients = [torch.full((1, 1), 2.0), torch.full((1,), -1.0)]
    player.descend(gradients, Rates(0.1, 0.5))
    assert player.parameters[0].item() == pytest.approx(1 - 0.2)
    player.descend(gradients, Rates(0.05, 0.7))
    # v = 0.7 (-0.2) - 0.05 2 = -0.24, and for the bias 0.7 0.1 + 0.05 = 0.12.
    assert player.parameters[0].item() == pytest.approx(1 - 0.2 - 0.24)
    assert player.parameters[1].item() == pytest.approx(0.1 + 0.12)
