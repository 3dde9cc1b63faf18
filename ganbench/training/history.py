"""Each seed's history: its rows, its best epoch, and why it failed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

# What is summed over an adversarial epoch's updates, in this order.
SUMS = ("discriminator_loss", "generator_loss", "d_real", "d_fake")
# One line of history.csv; None where a value was not measured in that epoch.
Row = dict[str, float | None]


@dataclass
class SeedProgress:
    """What became of one seed.

    Attributes:
        best_epoch: the epoch of the best validation log-likelihood so far.
        best_log_likelihood: that likelihood, nats; None before the first.
        history: one row for each epoch.
        failure: why the seed diverged; None while it has not.
    """

    best_epoch: int = 0
    best_log_likelihood: float | None = None
    history: list[Row] = field(default_factory=list)
    failure: str | None = None


def failure(row: Row, losses: Sequence[str], finite_weights: bool) -> str | None:
    """Returns why a seed has diverged by the end of an epoch, None if it has not.

    Args:
        row: of the epoch.
        losses: names of its losses.
        finite_weights: whether all weights are finite.
    """
    checked = (*losses, "validation_log_likelihood")
    broken = [name for name in checked if not math.isfinite(row[name] or 0.0)]
    if not finite_weights:
        broken.append("weights")
    if not broken:
        return None
    return (
        f"epoch {row['epoch']}: {', '.join(broken)} not finite; "
        "lower the learning_rate, or run another seed"
    )


def finite_weights(players: Sequence[Sequence[Tensor]]) -> list[bool]:
    """Returns for each seed whether all its weights are finite; waits for the device once.

    Args:
        players: the parameters of each player, [S, ...] each.
    """
    finite = [value.isfinite().flatten(1).all(1) for values in players for value in values]
    together = finite[0]
    for one in finite[1:]:
        together = together & one
    return together.tolist()
