"""The nearest two against all distances in float64."""

import pytest
import torch

from ganbench.evaluation.distances import nearest_two

# Exact differences in float64 of float32 pixels.
ROUNDING = 1e-12


@pytest.mark.parametrize(("batch", "candidates"), [(1, 30), (7, 30), (50, 2)])
def test_distances_by_hand(batch: int, candidates: int) -> None:
    stream = torch.Generator().manual_seed(0)
    points, others = (torch.rand(n, 9, generator=stream) for n in (20, candidates))
    actual = nearest_two(points, others, batch)
    for row, point in enumerate(points.double()):
        ordered = sorted(((point - other) ** 2).sum().sqrt().item() for other in others.double())
        assert actual.distance[row].item() == pytest.approx(ordered[0], abs=ROUNDING)
        assert actual.second[row].item() == pytest.approx(ordered[1], abs=ROUNDING)
        named = (point - others[actual.index[row]].double()).norm().item()
        assert named == pytest.approx(ordered[0], abs=ROUNDING)


def test_a_candidate_is_at_distance_zero_of_itself_also_far_from_the_origin() -> None:
    candidates = 30 + torch.rand(40, 9, generator=torch.Generator().manual_seed(0))
    actual = nearest_two(candidates, candidates)
    assert actual.distance.tolist() == [0.0] * 40
    assert actual.index.tolist() == list(range(40))
