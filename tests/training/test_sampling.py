"""Noise of the right law, and samples that do not depend on their batches."""

import math
from collections.abc import Callable

import pytest
import torch

from ganbench import seeding
from ganbench.training import sampling
from ganbench.training.loop import Run
from ganbench.training.sampling import draw_noise, draw_samples

from .conftest import experiment

NewRun = Callable[..., Run]


def test_uniform_noise_has_unit_variance_and_the_papers_range() -> None:
    noise = draw_noise(experiment(), 20_000, seeding.generator(0, "noise"))
    assert noise.shape == (20_000, 3)
    assert noise.abs().max() < math.sqrt(3)
    assert noise.abs().max() > math.sqrt(3) * 0.999
    # Five standard errors over 60,000 values.
    assert noise.mean().item() == pytest.approx(0, abs=5 / 245)
    assert noise.var().item() == pytest.approx(1, abs=5 * math.sqrt(0.8) / 245)


def test_normal_noise() -> None:
    plain = experiment()
    normal = plain.model_copy(
        update={"generator": plain.generator.model_copy(update={"noise": "normal"})}
    )
    noise = draw_noise(normal, 20_000, seeding.generator(0, "noise"))
    assert noise.abs().max() > 3
    assert noise.mean().item() == pytest.approx(0, abs=5 / 245)
    assert noise.var().item() == pytest.approx(1, abs=5 * math.sqrt(2) / 245)


def test_samples_do_not_depend_on_their_batches(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    arguments = run.generator.networks[0], run.experiment, 10
    whole = draw_samples(*arguments, seeding.generator(0, "sampling"), torch.device("cpu"))
    monkeypatch.setattr(sampling, "SAMPLE_BATCH", 3)
    parts = draw_samples(*arguments, seeding.generator(0, "sampling"), torch.device("cpu"))
    assert whole.shape == (10, 16)
    assert not whole.requires_grad
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)
