"""What the dense update's launches are given: a layer, and minibatches of an epoch."""

from typing import NamedTuple

import torch
from torch import Tensor


class Layer(NamedTuple):
    """One layer of S networks: parameters, momentum and the norms of its incoming weights.

    Attributes:
        weight: [S, P, U, D], [S, U, D] of a layer without pieces.
        bias: [S, P, U] or [S, U].
        weight_velocity: as `weight`.
        bias_velocity: as `bias`.
        rounded_weight: what products read: a bfloat16 copy, or `weight` itself.
        rounded_bias: the same of `bias`.
        squares: [S, P, U, blocks], partial sums of squares; None where norms are not bounded.
    """

    weight: Tensor
    bias: Tensor
    weight_velocity: Tensor
    bias_velocity: Tensor
    rounded_weight: Tensor
    rounded_bias: Tensor
    squares: Tensor | None

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Seeds, pieces, units and inputs."""
        seeds, *pieces, units, inputs = self.weight.shape
        return seeds, pieces[0] if pieces else 1, units, inputs

    @property
    def rounded(self) -> bool:
        """Whether there are bfloat16 copies."""
        return self.rounded_weight.dtype == torch.bfloat16


class Batched(NamedTuple):
    """An epoch's rows [S, more, N, D] of which minibatch `batch` (int64 [1]) is meant."""

    rows: Tensor
    batch: Tensor

    @property
    def count(self) -> int:
        """Rows of one minibatch."""
        return self.rows.shape[2]
