"""Memory in huge pages is memory like any other."""

import copy
import mmap
from pathlib import Path

import pytest
import torch

from ganbench.training.fused import pages

LARGE = pages.HUGE_PAGE_BYTES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("count", [0, 5, LARGE + 3])
def test_zeros_are_zeros_that_can_be_written(count: int, dtype: torch.dtype) -> None:
    actual = pages.zeros(count, dtype)
    assert actual.shape == (count,)
    assert actual.dtype == dtype
    assert not actual.any()
    actual.add_(1)
    assert torch.equal(actual, torch.ones(count, dtype=dtype))
    assert torch.equal(copy.deepcopy(actual), actual)


def test_two_tensors_share_nothing() -> None:
    one, other = (pages.zeros(LARGE, torch.float32) for _ in range(2))
    one.fill_(1)
    assert not other.any()


def test_views_outlive_the_tensor() -> None:
    view = pages.zeros(LARGE, torch.float32)[10:]
    assert not view.fill_(0).any()


def test_memory_is_given_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")
    before = resident()
    for _ in range(20):
        pages.zeros(16 * LARGE, torch.uint8).fill_(1)
    assert resident() - before < 2 * 16 * LARGE


def test_a_system_without_huge_pages_gives_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", -1, raising=False)
    assert not pages.zeros(LARGE, torch.float32).any()
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE")
    assert not pages.zeros(LARGE, torch.float32).any()
