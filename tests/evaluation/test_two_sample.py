"""Two-sample measures against loops, scikit-learn, and draws of one distribution."""

import math
import warnings

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from sklearn.neighbors import KNeighborsClassifier

from ganbench.evaluation import two_sample
from ganbench.evaluation.two_sample import distances

from . import samplers

# What each measure says of a good, a memorising and a collapsed sampler; None: anything.
TELLS: dict[str, samplers.Tells] = {
    "neighbour_accuracy": (lambda v: v < 0.65, lambda v: v < 0.65, lambda v: v > 0.8),
    "squared_mmd": (lambda v: abs(v) < 0.02, lambda v: abs(v) < 0.02, lambda v: v > 0.1),
    "precision": (lambda v: v > 0.6, lambda v: v > 0.6, None),
    "recall": (lambda v: v > 0.6, lambda v: v > 0.6, lambda v: v < 0.2),
}

with warnings.catch_warnings():
    # Torch's own modules, which ignite imports, are marked so.
    warnings.simplefilter("ignore", DeprecationWarning)
    from ignite.metrics import MaximumMeanDiscrepancy

# The same float64 sums in another order.
ROUNDING = 1e-12


def pair(n: int = 30):
    return samplers.blurred()[:n], samplers.heldout()[:n]


def test_neighbour_accuracy_by_leaving_one_out() -> None:
    made, real = pair(40)
    x, y = torch.cat([made, real]).numpy(), np.repeat([0, 1], 40)
    right = 0
    for one in range(80):
        others = np.arange(80) != one
        judge = KNeighborsClassifier(1).fit(x[others], y[others])
        right += judge.predict(x[one : one + 1])[0] == y[one]
    assert two_sample.neighbour_accuracy(distances(made, real)) == right / 80


def test_copies_of_the_compared_images_are_the_other_kind() -> None:
    real = samplers.heldout()[:50]
    assert two_sample.neighbour_accuracy(distances(real.clone(), real)) == 0


def test_mmd_by_loops() -> None:
    made, real = (rows.double() for rows in pair(12))
    bandwidth = 1.7

    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return math.exp(-((a - b) ** 2).sum().item() / (2 * bandwidth**2))

    n = 12
    within = sum(
        kernel(rows[i], rows[j])
        for rows in (made, real)
        for i in range(n)
        for j in range(n)
        if i != j
    )
    across = sum(kernel(a, b) for a in made for b in real)
    expected = within / (n * (n - 1)) - 2 * across / n**2
    actual = two_sample.squared_mmd(distances(made, real), bandwidth)
    assert actual == pytest.approx(expected, abs=ROUNDING)


def test_mmd_of_two_normals_is_the_published_formula() -> None:
    """In one dimension, N(0, 1) and N(2, 1), kernel of bandwidth 1: 2 (1 - e^(-2/3)) / sqrt 3."""
    stream = torch.Generator().manual_seed(0)
    a, b = torch.randn(2000, 1, generator=stream), 2 + torch.randn(2000, 1, generator=stream)
    expected = 2 * (1 - math.exp(-2 / 3)) / math.sqrt(3)
    # Sampling error of 2,000 points each.
    assert two_sample.squared_mmd(distances(a, b), 1.0) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
def test_mmd_is_the_square_of_ignites(bandwidth: float) -> None:
    made, real = pair(100)
    theirs = MaximumMeanDiscrepancy(var=bandwidth**2)
    theirs.update((made.double(), real.double()))
    ours = two_sample.squared_mmd(distances(made, real), bandwidth)
    # It sums in float32.
    assert ours == pytest.approx(theirs.compute() ** 2, rel=1e-4)
    assert ours > 0.001


def test_mmd_goes_below_zero_where_ignites_is_cut_off() -> None:
    stream = torch.Generator().manual_seed(1)
    made, real = torch.randn(2, 20, 3, generator=stream)
    theirs = MaximumMeanDiscrepancy()
    theirs.update((made, real))
    assert two_sample.squared_mmd(distances(made, real), 1.0) < -0.001
    assert theirs.compute() == 0


def test_mmd_is_unbiased() -> None:
    stream = torch.Generator().manual_seed(0)
    values = [
        two_sample.squared_mmd(distances(*torch.randn(2, 20, 3, generator=stream)), 1.0)
        for _ in range(300)
    ]
    assert min(values) < 0
    assert abs(np.mean(values)) < 4 * np.std(values) / 300**0.5


def test_precision_and_recall_by_loops() -> None:
    made, real = (rows.double() for rows in pair())

    def covered(points: torch.Tensor, centers: torch.Tensor) -> float:
        radii = [sorted(math.dist(c, o) for o in centers)[3] for c in centers]
        inside = [
            any(math.dist(p, c) <= r for c, r in zip(centers, radii, strict=True)) for p in points
        ]
        return sum(inside) / len(points)

    precision, recall = two_sample.precision_recall(distances(made, real))
    assert precision == covered(made, real)
    assert recall == covered(real, made)
    assert precision != recall


@pytest.mark.parametrize("n", [30, 200])
def test_precision_and_recall_are_those_of_prdc(n: int, capsys: pytest.CaptureFixture[str]) -> None:
    made, real = (rows.double() for rows in pair(n))
    theirs = compute_prdc(real.numpy(), made.numpy(), nearest_k=two_sample.NEIGHBOURS)
    capsys.readouterr()
    ours = two_sample.precision_recall(distances(made, real))
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]))


def test_a_ball_holds_its_rim_as_in_the_paper_and_not_as_in_prdc() -> None:
    """The data are 0 to 4: the ball of 0 reaches to 3, and its rim is at -3."""
    real, made = torch.arange(5.0)[:, None], torch.arange(-7.0, -2)[:, None]
    precision, _ = two_sample.precision_recall(distances(made, real))
    theirs = compute_prdc(real.double().numpy(), made.double().numpy(), nearest_k=3)
    assert (precision, theirs["precision"]) == (0.2, 0)


def test_precision_and_recall_of_the_same_and_of_far_points() -> None:
    real = samplers.heldout()[:50]
    assert two_sample.precision_recall(distances(real.clone(), real)) == (1, 1)
    assert two_sample.precision_recall(distances(real + 50, real)) == (0, 0)


def test_precision_is_the_recall_of_the_data_for_the_samples() -> None:
    made, real = pair(100)
    precision, recall = two_sample.precision_recall(distances(made, real))
    assert two_sample.precision_recall(distances(real, made)) == (recall, precision)
    assert precision != recall


def test_intervals_are_over_disjoint_blocks() -> None:
    made, real = samplers.good(), samplers.heldout()
    actual = two_sample.two_sample(made, real)
    assert {one.n for one in actual} == {5}
    assert {one.labels["points"] for one in actual} == {448 // 5}
    accuracy = next(one for one in actual if one.name == "neighbour_accuracy")
    low, high = accuracy.interval
    assert low < 0.5 < high
    # Student's t with 4 degrees of freedom, from a table.
    assert high - low == pytest.approx(2 * 2.776 * accuracy.standard_error, rel=1e-3)
    bandwidths = [one.labels["bandwidth"] for one in actual if one.name == "squared_mmd"]
    assert bandwidths == [0.25, 0.5, 1.0, 2.0]
    rows = torch.arange(23)[:, None].float()
    blocks = two_sample._blocks(rows, 4)
    assert [len(block) for block in blocks] == [4] * 5
    assert len(torch.cat(list(blocks)).unique()) == 20
