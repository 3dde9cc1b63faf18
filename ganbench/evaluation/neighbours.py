"""Nearest training images, for the paper's sixth column."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def nearest(
    points: Float[Tensor, "m d"], candidates: Float[Tensor, "n d"], batch: int = 4096
) -> Int64[Tensor, " m"]:
    """Returns the index of the candidate with the smallest L2 distance to each point.

    Args:
        points: a few images.
        candidates: many images; the first wins on ties.
        batch: candidates at a time; changes memory, not the result.
    """
    # Differences, not the faster product of matrices: of equal images the distance must be 0.
    distances = [
        torch.cdist(points, part, compute_mode="donot_use_mm_for_euclid_dist")
        for part in candidates.split(batch)
    ]
    return torch.cat(distances, dim=1).argmin(dim=1)
