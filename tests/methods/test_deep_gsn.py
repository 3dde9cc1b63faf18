"""The deep GSN: an update and a chain against obvious loops, its recipe, resuming and learning."""

import functools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganbench.config.methods.base import Chains
from ganbench.config.methods.deep_gsn import DeepGsn as Settings
from ganbench.data.digits import load as load_digits
from ganbench.methods.counters import Counters
from ganbench.methods.deep_gsn import METHOD, DeepGsn

PIXELS = 64
SMALL = Settings(hidden=20, batch_size=50)
# float32 sums of at most 64 terms, in another order.
TOLERANCE = 2e-6


@functools.cache
def images() -> Tensor:
    return torch.from_numpy(load_digits().train[:50]).flatten(1).float() / 16


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(settings: Settings = SMALL, seed: int = 0) -> DeepGsn:
    return DeepGsn(settings, torch.zeros(PIXELS), stream(seed))


def trained(updates: int, settings: Settings = SMALL) -> tuple[DeepGsn, list[float]]:
    method, noise = started(settings), stream(1)
    losses = [
        method.update(images(), Counters(), noise)["cross_entropy"].item() for _ in range(updates)
    ]
    return method, losses


class Loop:
    """The released code's layers one by one, each with its own weights, in autograd."""

    def __init__(self, method: DeepGsn, noise: torch.Generator) -> None:
        self.settings, self.noise = method.recipe, noise
        d = method.pixels
        values = (
            method.weight[:, :d].T,
            method.weight[:, d:],
            method.even_bias[:d],
            method.odd_bias,
            method.even_bias[d:],
        )
        self.weights = [value.clone().requires_grad_() for value in values]

    def salted(self, x: Tensor) -> Tensor:
        rate, uniform = self.settings.salt_and_pepper, torch.rand(x.shape, generator=self.noise)
        coins = (uniform > 0.5).float()
        return torch.where((uniform < rate / 2) | (uniform >= 1 - rate / 2), coins, x)

    def round(self, x: Tensor, h2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns h1, p and the pre-activation of h2."""
        w1, w2, b0, b1, b2 = self.weights
        h1 = torch.tanh(x @ w1 + h2 @ w2.T + b1)
        return h1, torch.sigmoid(h1 @ w1.T + b0), h1 @ w2 + b2

    def upper(self, before: Tensor) -> Tensor:
        scale, shape = self.settings.hidden_noise, before.shape
        first, second = torch.randn(2, *shape, generator=self.noise) * scale
        return torch.tanh(before + first) + second

    def loss(self, images: Tensor) -> Tensor:
        x, h2 = self.salted(images), torch.zeros(len(images), self.settings.hidden)
        total = torch.zeros(())
        for number in range(self.settings.walkback):
            _, p, before = self.round(x, h2)
            total = total + functional.binary_cross_entropy(p, images)
            if number + 1 < self.settings.walkback:
                rate, uniform = (
                    self.settings.salt_and_pepper,
                    torch.rand(p.shape, generator=self.noise),
                )
                x = (uniform < (1 - rate) * p.detach() + rate / 2).float()
                h2 = self.upper(before)
        return total


@pytest.mark.parametrize("walkback", [1, 2, 4])
def test_an_update_is_that_of_a_loop(walkback: int) -> None:
    settings = SMALL.model_copy(update={"walkback": walkback})
    method, noise = started(settings), stream(1)
    # Two updates: the second has biases, and a past of the average.
    method.update(images(), Counters(), noise)
    loop = Loop(method, stream(2))
    past = {name: value.clone() for name, value in method.averages.items()}
    old = {name: value.clone() for name, value in method.weights().items()}
    actual = method.update(images(), Counters(phase_epoch=3), stream(2))
    loss = loop.loss(images())
    torch.testing.assert_close(actual["cross_entropy"], loss.detach())
    gradients = torch.autograd.grad(loss, loop.weights, allow_unused=True, materialize_grads=True)
    down, up, pixels, odd, upper = gradients
    expected = {
        "weight": torch.cat((down.T, up), 1),
        "odd_bias": odd,
        "even_bias": torch.cat((pixels, upper)),
    }
    for name, gradient in expected.items():
        average = 0.5 * past[name] + 0.5 * gradient
        torch.testing.assert_close(method.averages[name], average, rtol=1e-4, atol=TOLERANCE)
        torch.testing.assert_close(
            method.weights()[name],
            old[name] - 0.25 * 0.995**3 * average,
            rtol=1e-4,
            atol=TOLERANCE,
        )


def test_one_draw_of_a_pixel_has_the_law_of_two() -> None:
    method, p = started(), torch.linspace(0, 1, 5).expand(20_000, 5).contiguous()
    once = method._drawn(p, stream(0)).mean(0)
    bernoulli = (torch.rand(p.shape, generator=stream(1)) < p).float()
    twice = method._corrupted(bernoulli, stream(2)).mean(0)
    expected = 0.6 * p[0] + 0.2
    # Five standard deviations of a mean of 20,000 coins.
    assert (once - expected).abs().max() < 5 * 0.5 / math.sqrt(20_000)
    assert (twice - expected).abs().max() < 5 * 0.5 / math.sqrt(20_000)


def test_salt_and_pepper_keeps_the_other_pixels_as_they_are() -> None:
    x = torch.full((1000, PIXELS), 0.3)
    changed = started()._corrupted(x, stream())
    shares = [(changed == value).float().mean().item() for value in (0.0, 0.3, 1.0)]
    assert sum(shares) == 1
    assert shares == pytest.approx([0.2, 0.6, 0.2], abs=0.01)


def test_a_chain_is_that_of_a_loop() -> None:
    method, _ = trained(20)
    train, noise = images(), stream(5)
    actual = method.sample(6, stream(5), train, Chains(chains=2))
    loop = Loop(method, noise)
    x = loop.salted(train[torch.randperm(len(train), generator=noise)[:2]])
    h2 = torch.zeros(2, method.recipe.hidden)
    expected = []
    with torch.no_grad():
        for _ in range(3):
            _, p, before = loop.round(x, h2)
            expected.append(p)
            pixels = (torch.rand(p.shape, generator=noise) < p).float()
            h2 = loop.upper(before)
            x = loop.salted(pixels)
    torch.testing.assert_close(actual, torch.cat(expected))


def test_chains_are_thinned_cut_and_binary() -> None:
    method, _ = trained(5)
    every = method.sample(40, stream(5), images(), Chains(chains=4))
    thinned = method.sample(7, stream(5), images(), Chains(chains=4, burn_in=3, thin=3))
    torch.testing.assert_close(thinned, torch.cat((every[20:24], every[32:35])), rtol=0, atol=0)
    binary = method.sample(40, stream(5), images(), Chains(chains=4, pixels="binary"))
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    # The same chains: pixels nearly certain are what was drawn.
    certain = (every < 1e-4) | (every > 1 - 1e-4)
    assert (binary == every.round())[certain].all()
    noise = method.sample(3, stream(5), images(), Chains(chains=3, start="noise"))
    assert noise.shape == (3, PIXELS)
    assert not torch.equal(noise, method.sample(3, stream(5), images(), Chains(chains=3)))
    # More chains than images: some start at the same one.
    assert len(method.sample(120, stream(5), images(), Chains(chains=120))) == 120


def test_the_first_way_is_one_chain_of_means() -> None:
    method, _ = trained(1)
    way = Chains(chains=1)
    assert next(iter(method.recipe.ways_to_sample.values())) == way
    first = method.sample(5, stream(), images())
    torch.testing.assert_close(first, method.sample(5, stream(), images(), way), rtol=0, atol=0)


def test_the_defaults_are_the_released_recipe() -> None:
    settings = Settings()
    assert [(part.epochs, part.batch_size) for part in settings.parts] == [(1000, 100)]
    method = METHOD(settings, torch.zeros(784), stream())
    assert method.rates(Counters(phase_epoch=3, phase_updates=1500)) == (0.25 * 0.995**2, 0.5)
    assert method.weight.shape == (1500, 784 + 1500)
    for block, inputs in ((method.weight[:, :784], 784), (method.weight[:, 784:], 1500)):
        bound = math.sqrt(6 / (inputs + 1500))
        assert 0.999 * bound < block.abs().max() <= bound
    assert not method.odd_bias.any()
    assert not method.even_bias.any()


def test_it_learns_the_digits() -> None:
    _, losses = trained(200, Settings(hidden=100, hidden_noise=0.5, learning_rate=1.0))
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])
