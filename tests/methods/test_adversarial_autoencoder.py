"""The adversarial autoencoder: its three steps, resuming, learning, and a code that is normal."""

import functools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganbench.config.methods.adversarial_autoencoder import AdversarialAutoencoder as Settings
from ganbench.data.digits import load as load_digits
from ganbench.methods.adversarial_autoencoder import METHOD, AdversarialAutoencoder
from ganbench.methods.counters import Counters

SMALL = Settings(hidden=(20, 10), code=3, batch_size=50, adversarial_rate=1e-4)


@functools.cache
def images(count: int = 50) -> Tensor:
    return torch.from_numpy(load_digits().train[:count]).flatten(1).float() / 16


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(settings: Settings = SMALL, seed: int = 0) -> AdversarialAutoencoder:
    return AdversarialAutoencoder(settings, torch.zeros(64), stream(seed))


def trained(
    updates: int, settings: Settings = SMALL, rows: Tensor | None = None
) -> tuple[AdversarialAutoencoder, list[tuple[float, ...]]]:
    method, noise = started(settings), stream(1)
    rows = images() if rows is None else rows
    losses = []
    for _ in range(updates):
        batch = rows[torch.randint(len(rows), (50,), generator=noise)]
        loss = method.update(batch, Counters(), noise)
        losses.append(tuple(loss[name].item() for name in method.losses))
    return method, losses


class Loop:
    """The three steps with three optimisers of torch, each on a pass of its own."""

    def __init__(self, method: AdversarialAutoencoder) -> None:
        self.encoder, self.decoder, self.critic = method.encoder, method.decoder, method.critic
        autoencoder = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.steps = [
            torch.optim.Adam(autoencoder, lr=1e-3),
            torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=(0.5, 0.999)),
            torch.optim.Adam(self.encoder.parameters(), lr=1e-4, betas=(0.5, 0.999)),
        ]

    def step(self, number: int, loss: Tensor) -> None:
        for network in (self.encoder, self.decoder, self.critic):
            network.zero_grad()
        loss.backward()
        self.steps[number].step()

    def update(self, rows: Tensor, noise: torch.Generator) -> tuple[float, ...]:
        prior, *seen = (torch.randn(len(rows), 3, generator=noise) for _ in range(4))
        error = (self.decoder(self.encoder(rows)) - rows).square().mean()
        self.step(0, error)
        inputs = torch.cat((prior + 0.3 * seen[0], self.encoder(rows) + 0.3 * seen[1]))
        logits = self.critic(inputs).squeeze(1)
        labels = torch.cat((torch.ones(len(rows)), torch.zeros(len(rows))))
        judged = 2 * functional.binary_cross_entropy_with_logits(logits, labels)
        self.step(1, judged)
        fooled = -torch.sigmoid(self.critic(self.encoder(rows) + 0.3 * seen[2])).log().mean()
        self.step(2, fooled)
        return error.item(), judged.item(), fooled.item()


def test_an_update_is_that_of_three_plain_steps() -> None:
    method, other = started(), started()
    loop, ours, theirs = Loop(other), stream(3), stream(3)
    for _ in range(3):
        losses = method.update(images(), Counters(), ours)
        expected = loop.update(images(), theirs)
        assert [losses[n].item() for n in method.losses] == pytest.approx(expected, rel=1e-4)
    for name, value in method.parameters.items():
        # Where a gradient is hardly more than rounding, Adam's step is not known better.
        torch.testing.assert_close(value, other.parameters[name], rtol=1e-3, atol=1e-5)


def test_each_step_moves_its_own_networks() -> None:
    method = started()
    before = {name: value.detach().clone() for name, value in method.parameters.items()}

    def moved() -> set[str]:
        now = method.parameters
        return {name.split(".")[0] for name in now if not torch.equal(now[name], before[name])}

    code = method.encoder(images())
    method._step("criticism", method.critic(code).mean())
    assert moved() == {"critic"}
    method._step("regularisation", method.critic(method.encoder(images())).mean())
    assert moved() == {"critic", "encoder"}
    method._step("reconstruction", method.decoder(method.encoder(images())).mean())
    assert moved() == {"critic", "encoder", "decoder"}


def test_the_defaults_are_the_sizes_in_print() -> None:
    method = METHOD(Settings(), torch.zeros(784), stream())
    shapes = [tuple(v.shape) for v in method.parameters.values() if v.ndim == 2]
    encoder, decoder = [(1000, 784), (1000, 1000), (8, 1000)], [(1000, 8), (1000, 1000)]
    assert shapes == [*encoder, *decoder, (784, 1000), *decoder, (1, 1000)]
    assert method.rates(Counters(phase_epoch=5)) == (1e-3, 0.9)


def test_samples_are_decoded_codes_from_the_prior() -> None:
    method, _ = trained(3)
    samples = method.sample(7, stream(4), images())
    torch.testing.assert_close(
        samples, method.decoder(torch.randn(7, 3, generator=stream(4))).detach()
    )
    copy = started(seed=5)
    with torch.no_grad():
        for name, value in copy.weights().items():
            value.copy_(method.weights()[name])
    assert torch.equal(copy.sample(7, stream(4), images()), samples)


def test_it_learns_the_digits_and_the_critic_makes_codes_normal() -> None:
    """Without the critic codes keep a scale of their own; with it theirs is the prior's."""
    settings = Settings(hidden=(50,), code=2, learning_rate=1e-2, adversarial_rate=1e-2)
    off = settings.model_copy(update={"adversarial_rate": 1e-12})
    rows = images(500)
    spreads = []
    for one in (settings, off):
        method, losses = trained(200, one, rows)
        errors = [loss[0] for loss in losses]
        assert sum(errors[-20:]) < 0.8 * sum(errors[:20])
        code = method.encoder(rows).detach()
        spreads.append((code.square().mean().sqrt() - 1).abs().item())
    assert spreads[0] < 0.3
    assert spreads[1] > 1
