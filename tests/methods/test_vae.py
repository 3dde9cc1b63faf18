"""The VAE: its bound against other ways to compute it, its update, resuming and learning."""

import functools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from ganbench.config.methods.vae import Vae as Settings
from ganbench.data.digits import load as load_digits
from ganbench.methods.counters import Counters
from ganbench.methods.vae import METHOD, Vae

SMALL = Settings(hidden=(20, 10), code=3, batch_size=50)


@functools.cache
def images() -> Tensor:
    return torch.from_numpy(load_digits().train[:50]).flatten(1).float() / 16


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(settings: Settings = SMALL, seed: int = 0) -> Vae:
    return Vae(settings, torch.zeros(64), stream(seed))


def trained(updates: int, settings: Settings = SMALL) -> tuple[Vae, list[tuple[float, float]]]:
    method, noise = started(settings), stream(1)
    losses = []
    for _ in range(updates):
        loss = method.update(images(), Counters(), noise)
        losses.append((loss["cross_entropy"].item(), loss["kl"].item()))
    return method, losses


def test_the_bound_is_that_of_torch_distributions() -> None:
    method, _ = trained(30)
    x = images().round()
    noise = torch.randn(50, 3, generator=stream(2))
    cross_entropy, kl = method.negative_bound(x, noise)
    mean, log_variance = method.encoder(x).chunk(2, 1)
    posterior = Normal(mean, (log_variance / 2).exp())
    prior = Normal(torch.zeros(3), torch.ones(3))
    torch.testing.assert_close(kl, kl_divergence(posterior, prior).sum(1).mean())
    logits = method.decoder(mean + noise * posterior.scale)
    log_likelihood = Bernoulli(logits=logits).log_prob(x).sum(1).mean()
    torch.testing.assert_close(cross_entropy, -log_likelihood)


def test_a_decoder_that_ignores_its_code_has_the_exact_likelihood() -> None:
    """Then log p(x) is known, and the bound lacks the divergence of the codes, no more."""
    method = started()
    with torch.no_grad():
        for value in method.parameters.values():
            value.zero_()
        method.decoder[-1].bias.fill_(math.log(0.2 / 0.8))
        method.encoder[-1].bias[:3] = 2.0
    x = images().round()
    cross_entropy, kl = method.negative_bound(x, torch.randn(50, 3, generator=stream()))
    ones = x.sum(1)
    exact = (ones * math.log(0.2) + (64 - ones) * math.log(0.8)).mean()
    assert cross_entropy.item() == pytest.approx(-exact.item(), rel=1e-5)
    # KL(N(2, 1) || N(0, 1)) = 2 in each of three dimensions.
    assert kl.item() == pytest.approx(6)


def test_updates_are_those_of_adam_written_out() -> None:
    method, other = started(), started()
    first = {name: torch.zeros_like(value) for name, value in other.parameters.items()}
    second = {name: torch.zeros_like(value) for name, value in other.parameters.items()}
    ours, theirs = stream(3), stream(3)
    for step in (1, 2, 3):
        method.update(images(), Counters(), ours)
        loss = sum(other.negative_bound(images(), torch.randn(50, 3, generator=theirs)))
        gradients = torch.autograd.grad(loss, list(other.parameters.values()))
        with torch.no_grad():
            for (name, value), gradient in zip(other.parameters.items(), gradients, strict=True):
                first[name].lerp_(gradient, 0.1)
                second[name].lerp_(gradient**2, 0.001)
                scale = (second[name] / (1 - 0.999**step)).sqrt() + 1e-8
                value -= 1e-3 * first[name] / (1 - 0.9**step) / scale
    for name, value in method.parameters.items():
        # Where a gradient is hardly more than rounding, Adam's step is not known better.
        torch.testing.assert_close(value, other.parameters[name], rtol=1e-3, atol=2e-6)


def test_the_defaults_are_the_best_sizes_in_print() -> None:
    method = METHOD(Settings(), torch.zeros(784), stream())
    shapes = [tuple(v.shape) for v in method.parameters.values() if v.ndim == 2]
    down = [(500, 784), (500, 500), (500, 500), (16, 500)]
    assert shapes == [*down, (500, 8), (500, 500), (500, 500), (784, 500)]
    assert method.rates(Counters(phase_epoch=5)) == (1e-3, 0.9)


def test_samples_are_means_of_codes_from_the_prior() -> None:
    method, _ = trained(3)
    samples = method.sample(7, stream(4), images())
    codes = torch.randn(7, 3, generator=stream(4))
    torch.testing.assert_close(samples, method.decoder(codes).sigmoid().detach())
    assert not samples.requires_grad
    # What samples need is what is written.
    copy = started(seed=5)
    with torch.no_grad():
        for name, value in copy.weights().items():
            value.copy_(method.weights()[name])
    assert torch.equal(copy.sample(7, stream(4), images()), samples)


def test_it_learns_the_digits() -> None:
    _, losses = trained(150, Settings(hidden=(50,), code=5, learning_rate=5e-3))
    assert sum(map(sum, losses[-10:])) < 0.75 * sum(map(sum, losses[:10]))
