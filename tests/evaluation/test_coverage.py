"""Bins and classes against counts by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import MiniBatchKMeans

from ganbench.evaluation import coverage
from ganbench.evaluation.classifier import Classifier

from . import samplers

# What each measure says of a good, a memorising and a collapsed sampler; None: anything.
TELLS: dict[str, samplers.Tells] = {
    "collapse_share": (lambda v: v < 0.05, lambda v: v < 0.05, lambda v: v > 0.3),
    "different_bins": (lambda v: v < 0.2, lambda v: v < 0.2, lambda v: v > 0.6),
    "class_divergence": (lambda v: v < 0.05, lambda v: v < 0.05, lambda v: v > 0.5),
    "classes_hit": (lambda v: v == 10, lambda v: v == 10, lambda v: v <= 3),
    "classifier_accuracy": (lambda v: v > 0.9, lambda v: v > 0.9, lambda v: v > 0.9),
}

# Equal float64 numbers, averaged.
ROUNDING = 1e-12
# Of 449 digits, one in fifty is 9.
ACCURACY = 0.93


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    _, labels = samplers.digits()
    known = labels.numpy().astype(np.uint8)
    return Classifier(
        samplers.train(),
        known[: samplers.TRAIN],
        samplers.heldout(),
        known[samplers.TRAIN + 448 :],
    )


def test_different_bins_by_hand() -> None:
    train, samples = samplers.train(), samplers.collapsed()
    count = len(train) // coverage.IMAGES_PER_BIN
    kmeans = MiniBatchKMeans(count, batch_size=1024, random_state=0).fit(train.numpy())
    a, b = (
        np.bincount(labels, minlength=count).tolist()
        for labels in (kmeans.labels_, kmeans.predict(samples.numpy()))
    )
    n, m, differing = sum(a), sum(b), 0
    for x, y in zip(a, b, strict=True):
        p = (x + y) / (n + m)
        differing += abs(x / n - y / m) > 1.96 * math.sqrt(p * (1 - p) * (1 / n + 1 / m))
    actual = coverage.Bins(train).different(samples)
    assert actual.value == differing / count
    assert actual.standard_error == pytest.approx(
        math.sqrt(actual.value * (1 - actual.value) / count)
    )
    assert (actual.n, actual.labels) == (len(samples), {"bins": count})


def test_the_training_images_differ_in_no_bin() -> None:
    assert coverage.Bins(samplers.train()).different(samplers.train()).value == 0


def test_of_fresh_draws_one_bin_in_twenty_differs() -> None:
    """A mixture of ten Gaussians in the plane; 40 draws of 2,000 from 100 bins of 20,000."""
    stream = torch.Generator().manual_seed(0)
    centers = 5 * torch.randn(10, 2, generator=stream)

    def drawn(count: int) -> torch.Tensor:
        which = torch.randint(10, (count,), generator=stream)
        return centers[which] + torch.randn(count, 2, generator=stream)

    bins = coverage.Bins(drawn(20_000))
    shares = [bins.different(drawn(2000)).value for _ in range(40)]
    # 4,000 bins, not independent within a draw. What is counted in the bins also made them, and
    # the training images' own share is measured: both move a few in a thousand.
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)
    assert 0 < np.std(shares) < 0.05


def test_bins_know_no_order_of_samples() -> None:
    bins = coverage.Bins(samplers.train())
    assert bins.different(samplers.good().flip(0)) == bins.different(samplers.good())


def test_the_classifier_names_digits_it_never_saw(classifier: Classifier) -> None:
    assert classifier.accuracy > ACCURACY
    assert classifier.test_histogram.sum() == len(samplers.heldout())
    assert len(classifier.test_histogram) == 10


def test_class_coverage_by_hand(classifier: Classifier) -> None:
    samples = samplers.good()[:200]
    names = classifier.predict(samples).tolist()
    q = [(count + 0.5) / (449 + 5) for count in classifier.test_histogram]
    by_hand = sum(names.count(c) / 200 * math.log(names.count(c) / 200 / q[c]) for c in set(names))
    divergence, hit, accuracy = coverage.class_coverage(samples, classifier)
    assert divergence.value == pytest.approx(by_hand)
    assert hit.value == sum(names.count(c) / 200 >= 0.1 * q[c] for c in range(10))
    assert accuracy.value == classifier.accuracy


def test_one_class_is_the_logarithm_of_its_share(classifier: Classifier) -> None:
    samples = samplers.heldout()[:1].repeat(100, 1)
    named = int(classifier.predict(samples)[0])
    divergence, hit, _ = coverage.class_coverage(samples, classifier)
    share = (classifier.test_histogram[named] + 0.5) / (449 + 5)
    assert divergence.value == pytest.approx(-math.log(share))
    assert divergence.standard_error == pytest.approx(0, abs=ROUNDING)
    assert hit.value == 1


def test_the_divergences_error_is_its_spread_over_draws(classifier: Classifier) -> None:
    everything = samplers.digits()[0]
    stream = torch.Generator().manual_seed(0)
    values = []
    for _ in range(40):
        drawn = everything[torch.randperm(len(everything), generator=stream)[:200]]
        divergence, *_ = coverage.class_coverage(drawn, classifier)
        values.append(divergence.value)
    # Forty draws know a deviation to 11 %; draws without replacement vary a little less.
    assert divergence.standard_error == pytest.approx(np.std(values), rel=0.5)
