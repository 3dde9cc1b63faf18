"""dropout: what it does with its mask (the mask itself is tested with philox)."""

import pytest
import torch

from ganbench_kernels import dropout
from ganbench_kernels.philox import dropout_mask

SEEDS, OFFSET = torch.tensor([3, 5]), torch.tensor(2)


@pytest.mark.parametrize("shape", [(2, 63), (2, 4, 3, 5, 5), (2, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_kept_elements_are_divided_by_keep(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randn(shape).to(dtype)
    kept = dropout_mask(x.shape, 0.8, SEEDS, OFFSET)
    torch.testing.assert_close(dropout(x, 0.8, SEEDS, OFFSET), torch.where(kept, x * 1.25, 0))


def test_gradient_has_the_same_mask() -> None:
    x = torch.randn(2, 50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: dropout(t, 0.5, SEEDS, OFFSET), (x,))


def test_views_equal_their_copies() -> None:
    x = torch.randn(2, 6, 9).mT
    equal = dropout(x, 0.5, SEEDS, OFFSET) == dropout(x.contiguous(), 0.5, SEEDS, OFFSET)
    assert equal.all()


def test_keeping_everything_changes_nothing() -> None:
    x = torch.randn(2, 9)
    assert dropout(x, 1.0, SEEDS, OFFSET) is x


def test_nan_is_not_hidden() -> None:
    assert dropout(torch.full((2, 40), torch.nan), 0.5, SEEDS, OFFSET).isnan().all()


def test_what_does_not_fit_is_named() -> None:
    x = torch.ones(2, 5)
    with pytest.raises(ValueError, match=r"dropout: seed: should have shape \[2\], got \[3\]"):
        dropout(x, 0.5, torch.arange(3), OFFSET)
    with pytest.raises(ValueError, match=r"dropout: offset: should be int64, got torch.float32"):
        dropout(x, 0.5, SEEDS, torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"dropout: offset: should have shape \[\], got \[2\]"):
        dropout(x, 0.5, SEEDS, SEEDS)
    with pytest.raises(ValueError, match=r"dropout: x: should be float32, float64 or bfloat16"):
        dropout(x.int(), 0.5, SEEDS, OFFSET)
