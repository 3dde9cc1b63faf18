"""Measures of copying against hand counts and scipy, on digits whose origin is known."""

import itertools

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from ganbench.evaluation import memorisation
from ganbench.evaluation.distances import nearest_two

from . import samplers

# What each measure says of a good, a memorising and a collapsed sampler; None: anything.
TELLS: dict[str, samplers.Tells] = {
    "copied_share": (lambda v: abs(v) < 0.2, lambda v: v > 0.9, lambda v: v < 0.2),
    "copying_z": (lambda v: abs(v) < 1.5, lambda v: v < -5, lambda v: v > -1.5),
    "copying_superiority": (lambda v: abs(v - 0.5) < 0.1, lambda v: v < 0.05, lambda v: v > 0.3),
    "nearest_ratio": (lambda v: abs(v - 1) < 0.1, lambda v: v < 0.2, lambda v: v > 0.5),
    "near_duplicates": (lambda v: v < 0.02, lambda v: v > 0.95, lambda v: v < 0.02),
    "exact_duplicates": (lambda v: v == 0, lambda v: v > 0, lambda v: v == 0),
    "parzen_gap": (lambda v: abs(v) < 5, lambda v: v > 15, None),
}

# Different orders of summation of the same float64 numbers.
ROUNDING = 1e-9
# Four standard errors.
CHANCE = 4


def value(estimates: list, name: str) -> float:
    return next(one.value for one in estimates if one.name == name)


def copied(samples: torch.Tensor):
    train, fresh = samplers.train(), samplers.heldout()
    return memorisation.copied_share(
        nearest_two(samples, train), nearest_two(samples, fresh), len(train), len(fresh)
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_copied_share_is_that_of_a_mixture(share: float) -> None:
    count = int(share * 448)
    mixed = torch.cat([samplers.memorising()[:count], samplers.good()[count:]])
    actual = copied(mixed)
    assert actual.value == pytest.approx(share, abs=CHANCE * actual.standard_error)
    assert actual.standard_error < 0.15


def test_the_copied_share_by_hand() -> None:
    """Of two samples near training images and one near a fresh one, pi = 3 / 5."""
    train, fresh = torch.tensor([[0.0], [10.0], [20.0]]), torch.tensor([[5.0], [15.0]])
    samples = torch.tensor([[1.0], [9.0], [6.0]])
    actual = memorisation.copied_share(
        nearest_two(samples, train), nearest_two(samples, fresh), 3, 2
    )
    assert actual.value == pytest.approx((2 / 3 - 0.6) / 0.4)
    by_hand = np.sqrt(0.4**2 + 0.4**2 + 0.6**2) / 3 / 0.4
    assert actual.standard_error == pytest.approx(by_hand)


def test_samples_of_one_image_say_nothing_of_copying() -> None:
    actual = copied(samplers.heldout()[:1].repeat(200, 1) + 0.01)
    assert abs(actual.value) == pytest.approx(actual.standard_error, rel=0.01)


def test_blur_lowers_distances_as_copying_does_but_not_the_copied_share() -> None:
    """What a plain nearest-neighbour check would take for memorising."""
    blurred, fresh, train = samplers.blurred(), samplers.heldout(), samplers.train()
    to_train, fresh_to_train = nearest_two(blurred, train), nearest_two(fresh, train)
    assert memorisation.nearest_ratio(to_train, fresh_to_train).value < 0.85
    assert value(memorisation.Cells(train, fresh).data_copying(blurred), "copying_z") < -3
    actual = copied(blurred)
    assert abs(actual.value) < 2 * actual.standard_error < 0.25
    assert memorisation.near_duplicates(to_train).value < 0.01


@pytest.mark.parametrize("fresh_count", [50, 200])
def test_data_copying_by_scipy_cell_by_cell(fresh_count: int) -> None:
    samples, train = samplers.blurred()[:200], samplers.train()
    fresh = samplers.heldout()[:fresh_count]
    cells = max(1, fresh_count // memorisation.FRESH_PER_CELL)
    kmeans = KMeans(cells, random_state=0).fit(train.numpy())
    of = [kmeans.predict(rows.numpy()) for rows in (samples, train, fresh)]
    z, superiority, weights = [], [], []
    for cell in range(cells):
        made, known, new = (
            rows[torch.from_numpy(labels == cell)].double()
            for rows, labels in zip((samples, train, fresh), of, strict=True)
        )
        if len(made) <= memorisation.SMALLEST_CELL or not len(new):
            continue
        u, _ = scipy.stats.mannwhitneyu(
            torch.cdist(made, known).amin(1), torch.cdist(new, known).amin(1)
        )
        m, n = len(made), len(new)
        z.append((u - m * n / 2) / np.sqrt(m * n * (m + n + 1) / 12))
        superiority.append(u / (m * n))
        weights.append(n)
    actual = memorisation.Cells(train, fresh).data_copying(samples)
    assert value(actual, "copying_z") == pytest.approx(np.average(z, weights=weights))
    by_hand = np.average(superiority, weights=weights)
    assert value(actual, "copying_superiority") == pytest.approx(by_hand)
    assert actual[0].labels["cells"] == len(weights)


def authors_statistic(
    fresh: np.ndarray, samples: np.ndarray, train: np.ndarray, kmeans: KMeans
) -> tuple[float, float]:
    """C_T by the formula of Meehan et al.'s released code, and what its continuity adds to it.

    There the mean of U is n m / 2 - 0.5, and a cell counts when its share of the samples is above
    20 / m.
    """
    n_of, m_of, t_of = (kmeans.predict(rows.astype(np.float32)) for rows in (fresh, samples, train))
    z, continuity, weights = [], [], []
    for cell in range(kmeans.n_clusters):
        known = NearestNeighbors(n_neighbors=1).fit(train[t_of == cell])
        made, new = (
            known.kneighbors(rows[labels == cell])[0].ravel()
            for rows, labels in ((samples, m_of), (fresh, n_of))
        )
        if len(made) / len(samples) > 20 / len(samples):
            n, m = len(new), len(made)
            deviation = np.sqrt(n * m * (n + m + 1) / 12)
            u = scipy.stats.mannwhitneyu(made, new, alternative="less").statistic
            z.append((u - (n * m / 2 - 0.5)) / deviation)
            continuity.append(0.5 / deviation)
            weights.append(n / len(fresh))
    return np.average(z, weights=weights), np.average(continuity, weights=weights)


@pytest.mark.parametrize("sampler", [samplers.good, samplers.blurred, samplers.memorising])
def test_data_copying_is_the_authors_but_for_their_continuity(sampler) -> None:
    train, fresh, samples = samplers.train(), samplers.heldout(), sampler()[:230]
    kmeans = KMeans(memorisation.CELLS, random_state=0).fit(train.numpy())
    counts = np.bincount(kmeans.predict(samples.numpy()), minlength=memorisation.CELLS)
    assert counts.min() <= memorisation.SMALLEST_CELL < counts.max()
    rows = (one.double().numpy() for one in (fresh, samples, train))
    theirs, continuity = authors_statistic(*rows, kmeans)
    ours = value(memorisation.Cells(train, fresh).data_copying(samples), "copying_z")
    assert ours == pytest.approx(theirs - continuity)
    assert 0.001 < continuity < 0.01


def test_data_copying_knows_neither_order_nor_place_nor_scale() -> None:
    """Moving every pixel, halving it, and shuffling the samples changes no distance's rank."""
    train, fresh, samples = samplers.train(), samplers.heldout(), samplers.blurred()
    plain = memorisation.Cells(train, fresh).data_copying(samples)
    moved = memorisation.Cells(train / 2 + 1, fresh / 2 + 1).data_copying(samples.flip(0) / 2 + 1)
    for one, other in zip(plain, moved, strict=True):
        assert (one.name, one.n) == (other.name, other.n)
        assert one.value == pytest.approx(other.value, rel=0.01)


def test_samples_far_from_every_fresh_image_have_no_statistic() -> None:
    train = torch.cat([samplers.train(), 5 + samplers.train()])
    cells = memorisation.Cells(train, samplers.heldout())
    assert cells.data_copying(5 + samplers.good()) == []
    assert len(cells.data_copying(samplers.good())) == 2


def test_the_interval_is_that_of_bootstrapped_distances() -> None:
    stream = np.random.default_rng(0)
    a, b = stream.normal(0.3, 1, 150), stream.normal(0, 1, 120)
    z, superiority, variance = memorisation._mann_whitney(a, b)
    pairs = [(x > y) + (x == y) / 2 for x, y in itertools.product(a, b)]
    assert superiority == pytest.approx(np.mean(pairs), abs=ROUNDING)
    assert z == pytest.approx((sum(pairs) - 9000) / np.sqrt(150 * 120 * 271 / 12))
    drawn = [
        np.mean(stream.choice(a, 150)[:, None] > stream.choice(b, 120)[None]) for _ in range(1000)
    ]
    # A thousand resamples know a deviation to 2 %.
    assert variance**0.5 == pytest.approx(np.std(drawn), rel=0.1)


def test_the_distance_ratio_is_of_medians_by_hand() -> None:
    """Samples 1, 2 and 9 away, fresh images 4, 4 and 5 away; copies are at 0."""
    train = torch.tensor([[0.0], [100.0]])
    samples, fresh = torch.tensor([[1.0], [98.0], [9.0]]), torch.tensor([[4.0], [96.0], [5.0]])
    of_fresh = nearest_two(fresh, train)
    actual = memorisation.nearest_ratio(nearest_two(samples, train), of_fresh)
    assert (actual.value, actual.n) == (0.5, 3)
    assert memorisation.nearest_ratio(of_fresh, of_fresh).value == 1
    assert memorisation.nearest_ratio(nearest_two(train, train), of_fresh).value == 0


def test_the_distance_ratio_by_scikit_learn_and_at_another_scale() -> None:
    samples, fresh, train = samplers.blurred()[:99], samplers.heldout()[:99], samplers.train()

    def ratio(scale: float) -> float:
        to_train = (nearest_two(rows * scale, train * scale) for rows in (samples, fresh))
        return memorisation.nearest_ratio(*to_train).value

    known = NearestNeighbors(n_neighbors=1).fit(train.double().numpy())
    made, new = (known.kneighbors(rows.double().numpy())[0] for rows in (samples, fresh))
    assert ratio(1.0) == pytest.approx(np.median(made) / np.median(new))
    assert ratio(4.0) == ratio(1.0)


def test_near_duplicates_are_three_times_nearer_to_one_image() -> None:
    train = torch.tensor([[0.0], [4.0], [100.0]])
    samples = torch.tensor([[0.9], [1.1], [99.0], [-3.0]])
    actual = memorisation.near_duplicates(nearest_two(samples, train))
    assert (actual.value, actual.n) == (0.5, 4)
    assert actual.standard_error == pytest.approx(0.25)


def test_exact_duplicates_differ_by_less_than_half_a_level_in_every_pixel() -> None:
    train = samplers.train()[:8]
    samples = train + 0.9 / 32
    samples[:3, 0] += 0.2 / 32
    actual = memorisation.exact_duplicates(samples, train, 1 / 32)
    assert (actual.value, actual.n) == (5 / 8, 8)


def test_the_parzen_gap_by_hand() -> None:
    train, test = torch.tensor([3.0, 5.0]).double(), torch.tensor([1.0, 2.0, 3.0]).double()
    actual = memorisation.parzen_gap(train, test)
    assert actual.value == 2.0
    assert actual.standard_error == pytest.approx((2 / 2 + 1 / 3) ** 0.5)
