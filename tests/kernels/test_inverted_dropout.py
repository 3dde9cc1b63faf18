"""dropout: what it does with its mask (the mask itself is tested with philox)."""

import pytest
import torch

from ganbench_kernels import dropout, dropout_factors
from ganbench_kernels.dispatch import can_compile
from ganbench_kernels.inverted_dropout import compiled
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
    with pytest.raises(ValueError, match=r"dropout: seed: should be a tensor, got 3; give torch"):
        dropout(x, 0.5, 3, OFFSET)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dropout: offset: should be a tensor, got 0; give torch"):
        dropout(x, 0.5, SEEDS, 0)  # type: ignore[arg-type]


SHAPES = [torch.Size(shape) for shape in ((2, 30, 21), (2, 3, 100), (2, 5, 7))]
needs_compiler = pytest.mark.skipif(not can_compile(), reason="no C++ compiler")


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_compiled_factors_are_the_masks_bit_for_bit(dtype: torch.dtype) -> None:
    keeps = (0.8, 0.5, 0.3)
    actual = compiled.factors(SHAPES, keeps, SEEDS, OFFSET, dtype)
    for number, (factor, shape, keep) in enumerate(zip(actual, SHAPES, keeps, strict=True)):
        kept = dropout_mask(shape, keep, SEEDS, OFFSET + number)
        assert 0 < kept.sum() < kept.numel()
        assert torch.equal(factor, kept.to(dtype) * (1 / keep))


def test_factors_do_not_depend_on_who_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    like = torch.empty(0)
    actual = []
    for worth in (False, can_compile()):
        monkeypatch.setattr(compiled, "worth_compiling", lambda *_, worth=worth: worth)
        actual.append(dropout_factors(SHAPES, (0.8, 1.0, 0.5), SEEDS, OFFSET, like))
    for eager, built in zip(*actual, strict=True):
        assert (eager is None and built is None) or torch.equal(eager, built)
    assert actual[0][1] is None


def test_small_masks_and_machines_without_a_compiler_do_not_compile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large, cpu = [torch.Size((compiled.WORTH_ELEMENTS,))], torch.device("cpu")
    monkeypatch.setattr(compiled, "can_compile", lambda: True)
    assert compiled.worth_compiling(large, cpu)
    assert not compiled.worth_compiling(large, torch.device("cuda"))
    assert not compiled.worth_compiling([torch.Size((10,))], cpu)
    monkeypatch.setattr(compiled, "can_compile", lambda: False)
    assert not compiled.worth_compiling(large, cpu)
