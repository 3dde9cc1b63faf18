"""Does a sampler copy its training images? Five answers; some take blur for copying."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy import stats
from sklearn.cluster import KMeans
from torch import Tensor

from ganbench.evaluation.distances import Nearest, nearest_two
from ganbench.evaluation.measures import Estimate
from ganbench.evaluation.parzen import log_likelihoods

CELLS = 10  # as few as keep like with like; Meehan et al. use 10 to 30 on images
FRESH_PER_CELL = 30  # below, Mann and Whitney's U is not yet near normal
SMALLEST_CELL = 20  # samples; the authors' experiments take cells of more than these too
CLUSTERED = 10_000  # training images that make the cells
NEAR = 1 / 3  # of the distance to the second nearest image
NORMAL_95 = 1.96


class Memorisation:
    """What the memorisation measures need of a data set, computed once for many samplers."""

    def __init__(
        self, train: Float[Tensor, "t d"], fresh: Float[Tensor, "n d"], half_level: float
    ) -> None:
        """Makes the cells and finds the fresh images' nearest training images.

        Args:
            train: the images that trained the samplers.
            fresh: images that did not.
            half_level: half a step of the data's levels, pixel units.
        """
        self._train, self._fresh, self._half_level = train, fresh, half_level
        self._cells, self._fresh_to_train = Cells(train, fresh), nearest_two(fresh, train)
        # As many training images as fresh ones, from all over: data may be in an order.
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
        self._known = train[order[: len(fresh)].to(train.device)]

    def measure(self, samples: Float[Tensor, "m d"], sigma: float) -> list[Estimate]:
        """Returns every measure of this group.

        Args:
            samples: of one sampler.
            sigma: their Parzen bandwidth, pixel units.
        """
        train, fresh = self._train, self._fresh
        to_train, to_fresh = nearest_two(samples, train), nearest_two(samples, fresh)
        of_known, of_fresh = (
            log_likelihoods(images, samples, [sigma])[0] for images in (self._known, fresh)
        )
        return [
            copied_share(to_train, to_fresh, len(train), len(fresh)),
            *self._cells.data_copying(samples),
            nearest_ratio(to_train, self._fresh_to_train),
            near_duplicates(to_train),
            exact_duplicates(samples, train[to_train.index], self._half_level),
            parzen_gap(of_known, of_fresh),
        ]


def copied_share(to_train: Nearest, to_fresh: Nearest, n_train: int, n_fresh: int) -> Estimate:
    """Returns the share of samples that copy a training image; blur does not raise it.

    The nearest real image of a sample that copies nothing is a training image as often as these
    are among the real images: pi = n_train / (n_train + n_fresh). A copy's always is. With y the
    share of samples whose nearest is a training image, the copied share is (y - pi) / (1 - pi): 0
    for fresh draws and their averages, 1 for a perfect memory. The baseline is in the measure:
    fresh images are what training images are, but that the sampler never saw them. Where the two
    sets differ from each other, it also measures which of them samples resemble, and may fall
    below 0.

    The standard error counts samples of the same nearest image as one (clusters), so that a
    collapsed sampler has a large one.

    Args:
        to_train: of the samples, among the training images.
        to_fresh: of the samples, among images that trained nothing.
        n_train: number of training images.
        n_fresh: number of fresh images.

    Source: ours; after Meehan et al. 2020, whose three samples it uses.
    """
    expected = n_train / (n_train + n_fresh)
    # An image that is in both sets is no evidence either way: it counts as chance would have it.
    copies = (to_train.distance < to_fresh.distance).double()
    ties = to_train.distance == to_fresh.distance
    copies[ties] = expected
    # Deviations from chance are added up by nearest image before they are squared: a hundred
    # samples of one image are one observation.
    nearest = torch.where(copies.bool() & ~ties, to_train.index, n_train + to_fresh.index)
    sums = torch.zeros(n_train + n_fresh, dtype=torch.float64, device=nearest.device)
    sums.scatter_add_(0, nearest, copies - expected)
    n = len(copies)
    scale = 1 - expected
    value = (copies.mean().item() - expected) / scale
    return Estimate("copied_share", value, sums.norm().item() / n / scale, n=n)


class Cells:
    """K-means cells of the training images, and the fresh images' distances within them."""

    def __init__(self, train: Float[Tensor, "t d"], fresh: Float[Tensor, "n d"]) -> None:
        """Divides pixel space.

        Args:
            train: images that trained the models.
            fresh: images that did not.
        """
        # Cells of the training images alone, so that they are the same for every sampler.
        count = max(1, min(CELLS, len(fresh) // FRESH_PER_CELL))
        self._kmeans = KMeans(count, random_state=0).fit(train[:CLUSTERED].cpu().numpy())
        # A cell with one training image has no second nearest, and one without fresh images nothing
        # to compare with; `_distances` leaves both out.
        of_train, of_fresh = self._cell(train), self._cell(fresh)
        self._train = [train[of_train == cell] for cell in range(count)]
        self._fresh = [
            nearest_two(fresh[of_fresh == cell], known).distance.cpu().numpy()
            if len(known) > 1 and (of_fresh == cell).any()
            else np.empty(0)
            for cell, known in enumerate(self._train)
        ]

    def _cell(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self._kmeans.predict(rows.cpu().numpy())).to(rows.device)

    def data_copying(self, samples: Float[Tensor, "m d"]) -> list[Estimate]:
        """Returns the data-copying statistic C_T and its effect size.

        Within each cell, U counts the pairs (sample, fresh image) in which the sample is farther
        from its nearest training image; Z is U less its mean n m / 2 over its deviation
        sqrt(n m (n + m + 1) / 12). C_T is the mean of Z over cells, weighted by the fresh images in
        them, and grows with the number of samples. The effect size does not: it is the same mean of
        U / (n m), the probability of superiority, 0.5 without copying, and its 95 % interval is
        normal with DeLong's variance. Blurred samples may lie near the training images too and
        lower both. Where no cell has samples and fresh images (a collapsed sampler) there is
        neither.

        Args:
            samples: of a model; cells with no more than `SMALLEST_CELL` of them are left out.

        Differs from the authors' code, which adds a continuity correction of 0.5 to U: Z is 0 in
        expectation here.

        Source: Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying in
        generative models", AISTATS 2020, arXiv 2004.05675; variance: DeLong et al., Biometrics 44
        (1988).
        """
        distances_by_cell = list(self._distances(samples))
        if not distances_by_cell:
            return []
        # Cells weigh by the fresh images in them, an estimate of the data's own probability there.
        weights = np.array([len(of_fresh) for _, of_fresh in distances_by_cell], float)
        weights /= weights.sum()
        scores = [_mann_whitney(*distances) for distances in distances_by_cell]
        z, superiority, variance = (np.array(column) for column in zip(*scores, strict=True))
        # Cells hold different images, so that their errors are independent.
        effect = float(weights @ superiority)
        error = float(np.sqrt(weights**2 @ variance))
        interval = (max(effect - NORMAL_95 * error, 0.0), min(effect + NORMAL_95 * error, 1.0))
        n, labels = (
            sum(len(of_samples) for of_samples, _ in distances_by_cell),
            {"cells": len(distances_by_cell)},
        )
        return [
            Estimate("copying_z", float(weights @ z), n=n, labels={**labels}),
            Estimate("copying_superiority", effect, error, interval, n, {**labels}),
        ]

    def _distances(
        self, samples: Tensor
    ) -> Iterator[tuple[Float64[np.ndarray, " _m"], Float64[np.ndarray, " _n"]]]:
        """Distances of samples and of fresh images to the training images of their cell."""
        cells = self._cell(samples)
        for cell, (known, of_fresh) in enumerate(zip(self._train, self._fresh, strict=True)):
            made = samples[cells == cell]
            if len(made) > SMALLEST_CELL and len(of_fresh):
                yield nearest_two(made, known).distance.cpu().numpy(), of_fresh


def _mann_whitney(
    of_samples: Float64[np.ndarray, " m"], of_fresh: Float64[np.ndarray, " n"]
) -> tuple[float, float, float]:
    """Z, the probability of superiority, and that probability's variance."""
    m, n = len(of_samples), len(of_fresh)
    ranks = stats.rankdata(np.concatenate([of_samples, of_fresh]))
    # Placements: the share of the other group that each value exceeds, ties counting a half.
    above = (ranks[:m] - stats.rankdata(of_samples)) / n
    below = 1 - (ranks[m:] - stats.rankdata(of_fresh)) / m
    # Both placements have the same mean; their spreads are the two parts of DeLong's variance.
    superiority = float(above.mean())
    z = (superiority - 0.5) * n * m / np.sqrt(n * m * (n + m + 1) / 12)
    variance = float(above.var(ddof=1) / m + (below.var(ddof=1) / n if n > 1 else 0.0))
    return float(z), superiority, variance


def nearest_ratio(to_train: Nearest, fresh_to_train: Nearest) -> Estimate:
    """Returns the median distance of samples to the training images over that of fresh images.

    1 for fresh draws. It falls for copies, and may fall as much for samples that are merely
    blurred (averages of similar images are near to all of them): alone it proves nothing.

    Args:
        to_train: of the samples, among the training images.
        fresh_to_train: of fresh images, among the training images.

    Source: the plain nearest-neighbour check; its failure: Theis et al. 2016, section 3.3.
    """
    value = (to_train.distance.median() / fresh_to_train.distance.median()).item()
    return Estimate("nearest_ratio", value, n=len(to_train.distance))


def near_duplicates(to_train: Nearest) -> Estimate:
    """Returns the share of samples three times nearer to one training image than to any other.

    Args:
        to_train: of the samples, among the training images.

    Source: Yoon et al., "Diffusion probabilistic models generalize when they fail to memorize",
    ICML workshop SPIGM 2023.
    """
    return _share("near_duplicates", to_train.distance <= NEAR * to_train.second)


def exact_duplicates(
    samples: Float[Tensor, "m d"], nearest: Float[Tensor, "m d"], half_level: float
) -> Estimate:
    """Returns the share of samples that equal a training image when stored as it is.

    Args:
        samples: of the model.
        nearest: the training image nearest to each.
        half_level: half a step of the data's levels, pixel units.
    """
    return _share("exact_duplicates", ((samples - nearest).abs() < half_level).all(dim=1))


def parzen_gap(of_train: Float64[Tensor, " t"], of_test: Float64[Tensor, " m"]) -> Estimate:
    """Returns the mean log-likelihood of training images less that of test images, in nats.

    Both under the Parzen window of the samples. 0 without memorising, and higher the more.

    Args:
        of_train: log-likelihoods of training images, nats.
        of_test: log-likelihoods of test images, nats.

    Source: Wu et al., "On the quantitative analysis of decoder-based generative models", 2017.
    """
    value = (of_train.mean() - of_test.mean()).item()
    error = (of_train.var() / len(of_train) + of_test.var() / len(of_test)).sqrt().item()
    return Estimate("parzen_gap", value, error, n=len(of_train) + len(of_test))


def _share(name: str, flags: Tensor) -> Estimate:
    n = len(flags)
    share = flags.double().mean().item()
    return Estimate(name, share, (share * (1 - share) / n) ** 0.5, n=n)
