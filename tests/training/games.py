"""Two small players of two seeds, and updates of them written out as formulas."""

import torch
from torch import Tensor

import ganbench_kernels
from ganbench import models
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player

# Both sides in float64: only the order of sums differs, over a few updates.
TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}
NOISE, HIDDEN, PIXELS = 3, 6, 5
LAYERS = 3
SIZE = 7
SEEDS = torch.tensor([77, 78])
Weights = list[Tensor]


def players(bound: float | None = None, count: int = 2) -> tuple[Player, Player]:
    """Generators of two layers and discriminators of two maxout layers and a logit, by seed."""
    stream = torch.Generator().manual_seed(3)
    generators = [
        models.Generator(
            [models.Linear(NOISE, HIDDEN, "relu"), models.Linear(HIDDEN, PIXELS, "sigmoid")]
        )
        for _ in range(count)
    ]
    discriminators = [
        models.Discriminator(
            [models.Maxout(PIXELS, 4, 3), models.Maxout(4, 3, 2), models.Linear(3, 1)], 0.8, 0.5
        )
        for _ in range(count)
    ]
    for pair in zip(generators, discriminators, strict=True):
        for network in pair:
            for parameter in network.parameters():
                # Small enough that 1 - D(x), written so, keeps its digits.
                parameter.data = 0.6 * torch.randn(parameter.shape, generator=stream)
    return Player(generators, bound), Player(discriminators, bound)


def batches(count: int) -> list[Tensor]:
    """Minibatches of two seeds."""
    stream = torch.Generator().manual_seed(5)
    return [torch.rand(2, SIZE, PIXELS, generator=stream) for _ in range(count)]


class Noise:
    """Gives noise of as many rows as a batch has, and keeps what it gave."""

    def __init__(self) -> None:
        self.stream = torch.Generator().manual_seed(9)
        self.given: list[Tensor] = []

    def __call__(self) -> Tensor:
        self.given.append(torch.randn(2, SIZE, NOISE, generator=self.stream))
        return self.given[-1]


def generate(weights: Weights, noise: Tensor) -> Tensor:
    """G(z)."""
    first, first_bias, last, last_bias = weights
    hidden = noise @ first.T + first_bias
    hidden = torch.where(hidden > 0, hidden, 0.0)
    return 1 / (1 + torch.exp(-(hidden @ last.T + last_bias)))


def judge(weights: Weights, images: Tensor, seed: Tensor, offset: int) -> Tensor:
    """D(x), a probability, with dropout masks `offset`, `offset` + 1, `offset` + 2."""
    h = images
    for layer, keep in enumerate((0.8, 0.5, 0.5)):
        ones = torch.ones(h.shape)
        h = h * ganbench_kernels.dropout(ones, keep, seed, torch.tensor(offset + layer))
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
    """One seed's weights and velocities of both players, updated by the formulas."""

    def __init__(self, generator: Player, discriminator: Player, s: int) -> None:
        self.s, self.seed = s, SEEDS[s]
        self.g = [value[s].clone().requires_grad_() for value in generator.values]
        self.d = [value[s].clone().requires_grad_() for value in discriminator.values]
        self.g_velocity = [torch.zeros(p.shape) for p in self.g]
        self.d_velocity = [torch.zeros(p.shape) for p in self.d]
        self.g_gradients: tuple[Tensor, ...] = ()
        self.d_gradients: tuple[Tensor, ...] = ()

    def simultaneous(
        self, real: Tensor, noise: Tensor, offset: int, objective: str, rates: Rates
    ) -> None:
        """Real and fake images are one batch of D, under one mask a layer."""
        fake = generate(self.g, noise)
        probability = judge(self.d, torch.cat([real, fake]), self.seed, offset)
        d_loss = discriminator_loss(probability[: len(real)], probability[len(real) :])
        g_loss = generator_loss(probability[len(real) :], objective)
        self.d_gradients = torch.autograd.grad(d_loss, self.d, retain_graph=True)
        self.g_gradients = torch.autograd.grad(g_loss, self.g)
        self.d = self.moved(self.d, self.d_velocity, self.d_gradients, rates)
        self.g = self.moved(self.g, self.g_velocity, self.g_gradients, rates)

    def discriminate(self, real: Tensor, noise: Tensor, offset: int, rates: Rates) -> None:
        """Algorithm 1's step of D: real and fake images have masks of their own."""
        fake = generate(self.g, noise).detach()
        probability = judge(self.d, fake, self.seed, offset + LAYERS)
        loss = discriminator_loss(judge(self.d, real, self.seed, offset), probability)
        gradients = torch.autograd.grad(loss, self.d)
        self.d = self.moved(self.d, self.d_velocity, gradients, rates)

    def deceive(self, noise: Tensor, offset: int, objective: str, rates: Rates) -> None:
        """Algorithm 1's step of G."""
        fake = generate(self.g, noise)
        probability = judge(self.d, fake, self.seed, offset + 2 * LAYERS)
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
            (self.g, generator.values),
            (self.d, discriminator.values),
            (self.g_velocity, generator.velocities),
            (self.d_velocity, discriminator.velocities),
        ):
            for one, two in zip(mine, theirs, strict=True):
                torch.testing.assert_close(two[self.s], one.detach(), **TOLERANCE)


def rates_of(number: int) -> Rates:
    """Others at every update, so that each is seen to be used."""
    return Rates(0.3 / (number + 1), 0.5 + 0.1 * number)
