"""Nearest images among many: fast products find candidates, exact differences decide."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

# Products in float32 know the squared distance of 784 pixels to about 1e-4: the nearest two are
# among the nearest four.
CANDIDATES = 4


class Nearest(NamedTuple):
    """The nearest two of some candidates to each point.

    Attributes:
        distance: L2, to the nearest; pixel units.
        second: L2, to the one after it.
        index: of the nearest.
    """

    distance: Float64[Tensor, " m"]
    second: Float64[Tensor, " m"]
    index: Int64[Tensor, " m"]


def nearest_two(
    points: Float[Tensor, "m d"], candidates: Float[Tensor, "n d"], batch: int = 1024
) -> Nearest:
    """Returns distances to the nearest and second nearest candidate.

    Args:
        points: images.
        candidates: at least two images.
        batch: points at a time; changes memory, not the result.
    """
    norms = candidates.square().sum(1)
    parts = [_exact(part, candidates, norms) for part in points.split(batch)]
    return Nearest(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _exact(points: Tensor, candidates: Tensor, norms: Tensor) -> Nearest:
    # |p - c|^2 less the point's own norm, which is the same for all candidates.
    scores = torch.addmm(norms, points, candidates.T, alpha=-2)
    few = scores.topk(min(CANDIDATES, len(candidates)), largest=False).indices
    # Differences in float64: the product loses distances that are small beside the norms, and these
    # are what tells a copy.
    exact = (points[:, None].double() - candidates[few].double()).norm(dim=2)
    distances, order = exact.topk(2, largest=False)
    return Nearest(distances[:, 0], distances[:, 1], few.gather(1, order[:, :1])[:, 0])
