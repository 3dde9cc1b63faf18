"""The moment matching network: its recipe, its update against torch's optimiser, and learning."""

import pytest
import torch
from torch import Tensor

from ganbench import models
from ganbench.data.digits import load as load_digits
from ganbench.methods import gmmn

SMALL = gmmn.GmmnSettings.model_validate(
    {
        "noise_dim": 4,
        "hidden": [16, 32],
        "widths": [1.0, 4.0],
        "batch_size": 50,
        "schedule": [
            {"updates": 2, "learning_rate": 0.5, "momentum": 0.9},
            {"updates": 60, "learning_rate": 0.2, "momentum": 0.5},
        ],
    }
)


def images() -> Tensor:
    return torch.from_numpy(load_digits().train[:50]).flatten(1).float() / 16


def started() -> tuple[models.Generator, list[Tensor], torch.Generator]:
    stream = torch.Generator().manual_seed(0)
    generator = gmmn.build_generator(SMALL, 64, stream)
    return generator, [torch.zeros_like(value) for value in generator.parameters()], stream


def trained(updates: int) -> tuple[list[Tensor], list[float]]:
    generator, velocities, stream = started()
    losses = [
        gmmn.update(
            generator, velocities, images(), gmmn.draw_noise(SMALL, 50, stream), SMALL, number
        )
        for number in range(updates)
    ]
    return list(generator.parameters()), losses


def test_the_defaults_are_the_released_recipe() -> None:
    settings = gmmn.GmmnSettings()
    assert sum(stretch.updates for stretch in settings.schedule) == 40_000
    assert settings.rates(9_999) == (2.0, 0.9)
    assert settings.rates(10_000) == settings.rates(39_999) == (0.2, 0.99)
    generator = gmmn.build_generator(settings, 784, torch.Generator().manual_seed(0))
    shapes = [tuple(value.shape) for value in generator.parameters() if value.ndim == 2]
    assert shapes == [(64, 10), (256, 64), (256, 256), (1024, 256), (784, 1024)]
    assert generator.layers[4].weight.std().item() == pytest.approx(1024**-0.5, rel=0.01)
    noise = gmmn.draw_noise(settings, 5000, torch.Generator().manual_seed(0))
    assert (noise.min() < -0.99, noise.max() > 0.99, noise.abs().max() <= 1) == (True,) * 3


def test_an_update_is_that_of_torch_with_momentum() -> None:
    """Velocity v <- m v - r g equals torch's r times its own while the rate is constant."""
    ours, _ = trained(2)
    generator, _, stream = started()
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.5, momentum=0.9)
    for _ in range(2):
        optimiser.zero_grad()
        fake = generator(gmmn.draw_noise(SMALL, 50, stream))
        gmmn.squared_mmd(images(), fake, SMALL.widths).sqrt().backward()
        optimiser.step()
    for a, b in zip(ours, generator.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_it_learns_the_digits() -> None:
    _, losses = trained(62)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_identical_samples_leave_no_nan() -> None:
    generator, velocities, _ = started()
    noise = torch.zeros(50, 4)
    real = generator(noise).detach()
    assert gmmn.update(generator, velocities, real, noise, SMALL, 0) < 1e-2
    assert all(value.isfinite().all() for value in generator.parameters())


def test_each_stretch_begins_where_the_one_before_ends() -> None:
    stretches = [{"updates": 2, "learning_rate": rate, "momentum": 0.0} for rate in (3.0, 2.0, 1.0)]
    settings = gmmn.GmmnSettings.model_validate({"schedule": stretches})
    assert [settings.rates(number)[0] for number in range(6)] == [3, 3, 2, 2, 1, 1]
