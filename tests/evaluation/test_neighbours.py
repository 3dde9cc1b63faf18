"""Nearest images against a search by hand."""

import pytest
import torch

from ganbench.evaluation.neighbours import nearest


def test_the_nearest_is_that_of_a_search_by_hand() -> None:
    stream = torch.Generator().manual_seed(0)
    points, candidates = torch.rand(7, 9, generator=stream), torch.rand(50, 9, generator=stream)
    for point, actual in zip(points, nearest(points, candidates), strict=True):
        squares = [
            sum((a - b) ** 2 for a, b in zip(point.tolist(), c, strict=True))
            for c in candidates.tolist()
        ]
        assert int(actual) == squares.index(min(squares))


def test_a_candidate_is_its_own_neighbour_also_far_from_the_origin() -> None:
    candidates = 1000 + torch.rand(40, 9, generator=torch.Generator().manual_seed(0))
    assert nearest(candidates, candidates).tolist() == list(range(40))


def test_the_first_of_equals_wins_whatever_the_batch() -> None:
    candidates = torch.tensor([[3.0], [1.0], [1.0], [-1.0], [1.0]])
    for batch in (1, 2, 5):
        actual = nearest(torch.tensor([[1.0], [0.0], [9.0]]), candidates, batch)
        assert actual.tolist() == [1, 1, 0]


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_batches_change_nothing(batch: int) -> None:
    stream = torch.Generator().manual_seed(0)
    points, candidates = torch.rand(7, 9, generator=stream), torch.rand(50, 9, generator=stream)
    assert torch.equal(nearest(points, candidates, batch), nearest(points, candidates))
