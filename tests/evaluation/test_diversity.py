"""The collapse measure against pairs counted by hand, on images and on points of a plane."""

import math

import pytest
import torch

from ganbench.evaluation.diversity import ALIKE, COLLAPSED, collapse_share

from . import samplers

# Counts of 500 draws among few modes differ by chance.
CHANCE_OF_MODES = 0.02
# Chance among some 120,000 dependent pairs.
CHANCE = 0.01


def test_pairs_counted_by_hand() -> None:
    stream = torch.Generator().manual_seed(0)
    samples, reference = (torch.rand(n, 3, generator=stream) for n in (40, 50))
    near = sorted(math.dist(a, b) for i, a in enumerate(reference) for b in reference[:i])
    position = ALIKE * (len(near) - 1)
    below = int(position)
    radius = near[below] + (position - below) * (near[below + 1] - near[below])
    made = [math.dist(a, b) <= radius for i, a in enumerate(samples) for b in samples[:i]]
    assert collapse_share(samples, reference) == sum(made) / len(made)


def test_one_image_over_and_over_is_all_alike() -> None:
    assert collapse_share(samplers.train()[:1].expand(600, -1), samplers.train()) == 1.0


@pytest.mark.parametrize("modes", [1, 2, 3, 4])
def test_the_inverse_counts_equally_likely_images(modes: int) -> None:
    shown = samplers.train()[: 7 * modes : 7].repeat(500, 1)[:2000]
    actual = collapse_share(shown, samplers.train())
    assert 1 / actual == pytest.approx(modes, rel=CHANCE_OF_MODES)


@pytest.mark.parametrize(
    "sampler", [samplers.collapsed, lambda: samplers.collapsed()[:1] * 0 + 0.5]
)
def test_the_alarm_fires_on_few_images(sampler) -> None:
    samples = sampler().expand(448, -1)
    assert collapse_share(samples, samplers.train()) >= COLLAPSED


@pytest.mark.parametrize("sampler", [samplers.good, samplers.memorising, samplers.blurred])
def test_the_alarm_is_silent_on_many_images(sampler) -> None:
    assert collapse_share(sampler(), samplers.train()) < COLLAPSED


def test_the_data_are_as_diverse_as_themselves() -> None:
    assert collapse_share(samplers.good(), samplers.train()) == pytest.approx(ALIKE, abs=CHANCE)


@pytest.mark.parametrize(("modes", "fires"), [(8, False), (4, False), (1, True)])
def test_points_of_a_plane(modes: int, fires: bool) -> None:
    """A generator that collapses in the plane draws points, not the modes' whole width."""
    stream = torch.Generator().manual_seed(0)
    angles = torch.arange(1000) * math.tau / 8
    noise = 0.1 * torch.randn(1000, 2, generator=stream)
    ring = 2 * torch.stack([angles.cos(), angles.sin()], 1) + noise
    narrow = ring - noise * (0.9 if modes < 8 else 0)
    actual = collapse_share(narrow[torch.arange(1000) % 8 < modes], ring)
    assert (actual >= COLLAPSED) == fires


def test_order_and_repeated_rows_change_little() -> None:
    samples = samplers.good()
    shuffled = samples[torch.randperm(len(samples), generator=torch.Generator().manual_seed(3))]
    assert collapse_share(shuffled, samplers.train()) == collapse_share(samples, samplers.train())


def test_of_ordered_data_the_whole_is_looked_at() -> None:
    images, labels = samplers.digits()
    ordered = images[labels.argsort()]
    assert collapse_share(ordered, images) == pytest.approx(ALIKE, abs=CHANCE)


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 samples and 900 images; give two of each or more"):
        collapse_share(samplers.train()[:1], samplers.train())
