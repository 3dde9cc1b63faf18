"""The moment matching network: its recipe, its update against torch's optimiser, and learning."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganbench.config import Rival, load_experiment
from ganbench.config.methods import Gmmn
from ganbench.data.digits import load as load_digits
from ganbench.methods.counters import Counters
from ganbench.methods.gmmn import MomentMatching
from ganbench.methods.mmd import squared_mmd

EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiments"

SMALL = Gmmn.model_validate(
    {
        "noise_dim": 4,
        "hidden": (16, 32),
        "widths": (1.0, 4.0),
        "batch_size": 50,
        "schedule": (
            {"epochs": 2, "learning_rate": 0.5, "momentum": 0.9},
            {"epochs": 60, "learning_rate": 0.2, "momentum": 0.5},
        ),
    }
)


def images() -> Tensor:
    return torch.from_numpy(load_digits().train[:50]).flatten(1).float() / 16


def started(recipe: Gmmn = SMALL, pixels: int = 64) -> tuple[MomentMatching, torch.Generator]:
    stream = torch.Generator().manual_seed(0)
    return MomentMatching(recipe, torch.zeros(pixels), stream), stream


def trained(updates: int) -> tuple[MomentMatching, list[float]]:
    method, stream = started()
    losses = []
    for number in range(updates):
        counters = Counters(phase=int(number >= 2))
        losses.append(method.update(images(), counters, stream)["sqrt_mmd2"].item())
    return method, losses


def test_the_shipped_recipe_is_the_released_one() -> None:
    experiment = load_experiment(EXPERIMENTS / "mnist_gmmn.yaml")
    assert isinstance(experiment, Rival)
    assert isinstance(experiment.recipe, Gmmn)
    recipe = experiment.recipe
    # Of 50,000 images, 50 updates an epoch.
    updates = [50 * part.epochs for part in recipe.parts]
    assert updates == [10_000, 30_000]
    method, stream = started(recipe, 784)
    assert method.rates(Counters(phase=0)) == (2.0, 0.9)
    assert method.rates(Counters(phase=1)) == (0.2, 0.99)
    matrices = [value for value in method.weights().values() if value.ndim == 2]
    shapes = [tuple(value.shape) for value in matrices]
    assert shapes == [(64, 10), (256, 64), (256, 256), (1024, 256), (784, 1024)]
    assert matrices[4].std().item() == pytest.approx(1024**-0.5, rel=0.01)
    noise = method._noise(5000, stream)
    assert (noise.min() < -0.99, noise.max() > 0.99, noise.abs().max() <= 1) == (True,) * 3


def test_an_update_is_that_of_torch_with_momentum() -> None:
    """Velocity v <- m v - r g equals torch's r times its own while the rate is constant."""
    ours, _ = trained(2)
    theirs, stream = started()
    optimiser = torch.optim.SGD(theirs.generator.parameters(), lr=0.5, momentum=0.9)
    for _ in range(2):
        optimiser.zero_grad()
        fake = theirs.generator(theirs._noise(50, stream))
        squared_mmd(images(), fake, SMALL.widths).sqrt().backward()
        optimiser.step()
    for name, value in theirs.weights().items():
        torch.testing.assert_close(ours.weights()[name], value)


def test_it_learns_the_digits() -> None:
    _, losses = trained(62)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_samples_like_the_images_leave_no_nan() -> None:
    method, stream = started()
    real = method.sample(50, torch.Generator().manual_seed(1), images())
    stream.manual_seed(1)
    assert method.update(real, Counters(), stream)["sqrt_mmd2"] < 1e-2
    assert all(value.isfinite().all() for value in method.tensors().values())
