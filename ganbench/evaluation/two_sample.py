"""Can samples be told from test images? Effect sizes on equal numbers of both, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from scipy import stats
from torch import Tensor

from ganbench.evaluation.measures import Estimate

POINTS = 2000  # of each kind at a time
BLOCKS = 5  # disjoint ones; intervals are over them
FACTORS = (0.25, 0.5, 1.0, 2.0)  # kernel bandwidths over the data's median distance
NEIGHBOURS = 3  # k of improved precision and recall


class Distances(NamedTuple):
    """L2 within the samples, within the data, and between them; pixel units."""

    samples: Float64[Tensor, "n n"]
    data: Float64[Tensor, "n n"]
    across: Float64[Tensor, "n n"]


def two_sample(samples: Float[Tensor, "m d"], data: Float[Tensor, "n d"]) -> list[Estimate]:
    """Returns 1-NN accuracy, MMD^2 at several bandwidths, improved precision and recall.

    Each is the mean over `BLOCKS` disjoint subsamples of both, of at most `POINTS` each; the
    interval is Student's t over these (95 %), so it tells what another draw of as many would give.
    At such sizes a p-value says nothing: every model can be told apart from the data.

    Args:
        samples: of the model.
        data: images that trained nothing, best as many.
    """
    # Equal numbers of both, since every measure here but MMD depends on how many there are.
    points = min(POINTS, len(samples) // BLOCKS, len(data) // BLOCKS)
    blocks = list(zip(_blocks(samples, points), _blocks(data, points), strict=True))
    # The data alone set the bandwidths: a sampler must not choose its own ruler.
    median = torch.pdist(blocks[0][1].double()).median().item()
    repetitions: dict[tuple[str, float | None], list[float]] = {}
    for made, real in blocks:
        # The distances are most of the cost, and every measure reads the same.
        between = distances(made, real)
        for factor in FACTORS:
            repetitions.setdefault(("squared_mmd", factor), []).append(
                squared_mmd(between, factor * median)
            )
        repetitions.setdefault(("neighbour_accuracy", None), []).append(neighbour_accuracy(between))
        for name, value in zip(("precision", "recall"), precision_recall(between), strict=True):
            repetitions.setdefault((name, None), []).append(value)
    return [
        _over_blocks(name, values, points, {} if factor is None else {"bandwidth": factor})
        for (name, factor), values in repetitions.items()
    ]


def _blocks(rows: Float[Tensor, "n d"], points: int) -> Sequence[Float[Tensor, "points d"]]:
    """Disjoint rows from all over, always the same."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return rows[order[: BLOCKS * points].to(rows.device)].split(points)


def _over_blocks(
    name: str, values: list[float], points: int, labels: dict[str, str | int | float]
) -> Estimate:
    # Student's t, because the spread is known from so few blocks only.
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return Estimate(
        name, mean, error, (mean - half, mean + half), len(values), labels | {"points": points}
    )


def distances(samples: Float[Tensor, "n d"], data: Float[Tensor, "n d"]) -> Distances:
    """Returns all distances of as many samples as images."""
    made, real = samples.double(), data.double()
    return Distances(torch.cdist(made, made), torch.cdist(real, real), torch.cdist(made, real))


def neighbour_accuracy(between: Distances) -> float:
    """Returns the share of points whose nearest other point is of their own kind.

    0.5 for two draws of one distribution, 1 where they are told apart, towards 0 where samples
    copy the very images that they are compared with.

    Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017; Xu et al.,
    arXiv 1806.07755.
    """
    # A point is not its own neighbour. Ties count against its own kind.
    same_samples = _off_diagonal(between.samples).amin(1) < between.across.amin(1)
    same_data = _off_diagonal(between.data).amin(1) < between.across.amin(0)
    return torch.cat([same_samples, same_data]).double().mean().item()


def squared_mmd(between: Distances, bandwidth: float) -> float:
    """Returns the unbiased MMD^2 under the kernel exp(-||x - y||^2 / (2 bandwidth^2)).

    Between 0 and 2 in expectation; 0 for two draws of one distribution, where half of the values
    are negative.

    Args:
        between: of n samples and n images.
        bandwidth: pixel units.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13 (2012), equation 3.
    """
    within_samples, within_data, across = (
        torch.exp(-part.square() / (2 * bandwidth**2)) for part in between
    )
    # Without the diagonal, where k(x, x) = 1 would add a bias of 1 / n.
    n = len(across)
    off = (within_samples.sum() - n + within_data.sum() - n) / (n * (n - 1))
    return (off - 2 * across.mean()).item()


def precision_recall(between: Distances) -> tuple[float, float]:
    """Returns the share of samples within the data's manifold, and of data within the samples'.

    A manifold is the union of balls around its points, each reaching to the point's third nearest
    neighbour. Both depend on the number of points: compare at equal numbers only.

    Source: Kynkaanniemi et al., "Improved precision and recall metric for assessing generative
    models", NeurIPS 2019, arXiv 1904.06991.
    """
    # The same question both ways round: points by columns, whose manifold it is by rows.
    precision = _covered(between.across, between.data)
    recall = _covered(between.across.T, between.samples)
    return precision.double().mean().item(), recall.double().mean().item()


def _covered(
    to_points: Float64[Tensor, "m n"], within: Float64[Tensor, "n n"]
) -> Bool[Tensor, " m"]:
    # The radius of a ball is the distance to its point's third nearest neighbour, itself left out.
    radii = _off_diagonal(within).kthvalue(min(NEIGHBOURS, len(within) - 1), dim=1).values
    return (to_points <= radii).any(dim=1)


def _off_diagonal(within: Float64[Tensor, "n n"]) -> Float64[Tensor, "n n"]:
    return within.clone().fill_diagonal_(torch.inf)
