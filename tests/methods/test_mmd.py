"""MMD against its closed form for two Gaussians, and against an obvious loop."""

import math

import pytest
import torch
from torch import Tensor

from ganbench.config.methods.gmmn import MNIST_WIDTHS
from ganbench.methods.mmd import squared_mmd

WIDTHS = (0.5, 3.0)
COUNT, DIM = 2000, 3
MEAN, VARIANCE = 0.8, 2.0
# Six standard errors of the U-statistic, which fell below 0.012 over 20 seeds.
TOLERANCE = 0.03


def drawn(seed: int, rows: int, columns: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=stream, dtype=torch.float64)


def expected_kernel(distance: float, variance: float) -> float:
    """E k(x, y) for normal x and y whose means and summed variances per dimension are given."""
    return sum(
        (s / (s + variance)) ** (DIM / 2) * math.exp(-(distance**2) / (2 * (s + variance)))
        for s in WIDTHS
    )


def loop(real: Tensor, fake: Tensor, unbiased: bool) -> float:
    def mean(a: Tensor, b: Tensor, skip: bool) -> float:
        values = [
            sum(math.exp(-float((x - y).square().sum()) / (2 * s)) for s in WIDTHS)
            for i, x in enumerate(a)
            for j, y in enumerate(b)
            if not (skip and i == j)
        ]
        return sum(values) / len(values)

    return mean(real, real, unbiased) + mean(fake, fake, unbiased) - 2 * mean(real, fake, False)


@pytest.mark.parametrize("unbiased", [False, True])
def test_two_gaussians_have_their_closed_form(unbiased: bool) -> None:
    real = drawn(0, COUNT, DIM)
    fake = drawn(1, COUNT, DIM) * math.sqrt(VARIANCE) + MEAN
    distance = MEAN * math.sqrt(DIM)
    real_pairs, fake_pairs = expected_kernel(0, 2), expected_kernel(0, 2 * VARIANCE)
    expected = real_pairs + fake_pairs - 2 * expected_kernel(distance, 1 + VARIANCE)
    if not unbiased:
        # One pair in COUNT is a row with itself, where every kernel is 1.
        expected += (2 * len(WIDTHS) - real_pairs - fake_pairs) / COUNT
    actual = squared_mmd(real, fake, WIDTHS, unbiased).item()
    assert actual == pytest.approx(expected, abs=TOLERANCE)
    assert actual > 3 * TOLERANCE


def test_the_bias_is_that_of_rows_paired_with_themselves() -> None:
    """For two samples of one law the U-statistic is 0 on average, the V-statistic is not."""
    pairs = [(drawn(2 * s, 20, DIM), drawn(2 * s + 1, 20, DIM)) for s in range(300)]
    means = [
        sum(squared_mmd(*pair, WIDTHS, unbiased).item() for pair in pairs) / len(pairs)
        for unbiased in (False, True)
    ]
    bias = 2 * (len(WIDTHS) - expected_kernel(0, 2)) / 20
    assert means == pytest.approx([bias, 0], abs=0.01)


@pytest.mark.parametrize("unbiased", [False, True])
def test_it_equals_a_loop(unbiased: bool) -> None:
    real, fake = drawn(0, 7, 4), drawn(1, 5, 4) + 0.3
    expected = loop(real, fake, unbiased)
    assert squared_mmd(real, fake, WIDTHS, unbiased).item() == pytest.approx(expected, rel=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    real, fake = drawn(0, 4, 3), drawn(1, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda fake: squared_mmd(real, fake, WIDTHS).sqrt(), fake)


def test_one_sample_against_itself_is_zero() -> None:
    real = drawn(0, 50, 784).float()
    assert abs(squared_mmd(real, real.clone(), MNIST_WIDTHS).item()) < 1e-5
