"""maxout_pool2d: against loops over windows, and its gradient."""

import pytest
import torch
from torch import Tensor

from ganbench_kernels import maxout_pool2d
from ganbench_kernels.pooled_maxout.op import output_side

SHAPES = (
    ((2, 4, 9, 7), 2, 4, 2),
    ((1, 6, 5, 5), 3, 2, 2),
    ((2, 4, 5, 6), 2, 3, 1),
    ((1, 2, 4, 5), 2, 4, 2),
    ((1, 3, 33, 33), 1, 4, 2),
)


def slow_pool(x: Tensor, pieces: int, kernel_size: int, stride: int) -> Tensor:
    """One window at a time; windows start inside the map until every pixel is covered."""
    height, width = x.shape[2:]

    def starts(side: int) -> list[int]:
        actual = [0]
        while actual[-1] + kernel_size < side and actual[-1] + stride < side:
            actual.append(actual[-1] + stride)
        return actual

    maps = x.reshape(x.shape[0], -1, pieces, height, width)
    rows = [
        torch.stack(
            [
                maps[..., top : top + kernel_size, left : left + kernel_size].amax((2, 3, 4))
                for left in starts(width)
            ],
            -1,
        )
        for top in starts(height)
    ]
    return torch.stack(rows, -2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("shape", "pieces", "kernel_size", "stride"), SHAPES)
def test_equals_windows_one_by_one(
    shape: tuple[int, ...], pieces: int, kernel_size: int, stride: int, dtype: torch.dtype
) -> None:
    x = torch.randn(shape).to(dtype)
    out = maxout_pool2d(x, pieces, kernel_size, stride)
    assert torch.equal(out, slow_pool(x, pieces, kernel_size, stride))


def test_sides_are_those_of_the_papers_network() -> None:
    sides = [output_side(33, 4, 2), output_side(15, 4, 2), output_side(9, 2, 2)]
    assert sides == [16, 7, 5]


@pytest.mark.parametrize(("shape", "pieces", "kernel_size", "stride"), SHAPES[:3])
def test_gradient_equals_finite_differences(
    shape: tuple[int, ...], pieces: int, kernel_size: int, stride: int
) -> None:
    # A shuffled grid: no two values within a finite difference of each other.
    x = torch.randperm(torch.Size(shape).numel()).double().reshape(shape).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: maxout_pool2d(t, pieces, kernel_size, stride), (x,))


def test_first_candidate_wins_ties() -> None:
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    maxout_pool2d(x, 2, 3, 1).sum().backward()
    expected = torch.zeros(1, 2, 3, 3)
    expected[0, 0, 0, 0] = 1
    assert x.grad is not None
    assert torch.equal(x.grad, expected)


def test_nan_stays_and_views_and_empty_batches_work() -> None:
    x = torch.randn(2, 3, 7, 4).permute(0, 3, 2, 1)
    assert torch.equal(maxout_pool2d(x, 2, 2, 2), maxout_pool2d(x.contiguous(), 2, 2, 2))
    x[0, 1, 0, 0] = torch.nan
    assert maxout_pool2d(x, 2, 2, 2).isnan().sum() == 1
    assert maxout_pool2d(x[:0], 2, 2, 2).shape == (0, 2, 4, 2)


@pytest.mark.parametrize(
    ("shape", "sizes", "message"),
    [
        ((2, 3, 5, 5), (2, 2, 2), r"x: should be \[N, C \* pieces, H, W\], got .* with 2 pieces"),
        ((3, 5, 5), (1, 2, 2), r"x: should be \[N, C \* pieces, H, W\], got \[3, 5, 5\]"),
        ((2, 4, 5, 5), (2, 2, 3), r"stride: not in 1..2 \(kernel_size\), got 3; a larger step"),
        ((2, 4, 1, 5), (2, 2, 2), r"kernel_size: should fit in the map of 1 x 5, got 2; take"),
        ((2, 4, 9, 9), (4, 9, 2), r"pieces, kernel_size: more than 256 candidates .* 4 \* 9\^2"),
    ],
)
def test_what_does_not_fit_is_named(
    shape: tuple[int, ...], sizes: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=f"maxout_pool2d: {message}"):
        maxout_pool2d(torch.ones(shape), *sizes)
