"""Does a sampler make everything the data have? Bins of pixel space, and classes."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.diversity import COLLAPSED, POINTS, collapse_share
from ganbench.evaluation.measures import Estimate

BINS = 100  # as Richardson and Weiss on MNIST
IMAGES_PER_BIN = 20  # with fewer, a z test of two shares is not near normal
SIGNIFICANT = 1.96  # of a standard normal: 5 % of the bins of a perfect sampler
RESAMPLES = 500
HIT = 0.1  # of the data's own share of a class


class Coverage:
    """What the coverage measures need of a data set, computed once for many samplers."""

    def __init__(self, train: Float[Tensor, "n d"], classifier: Classifier | None) -> None:
        """Makes the bins.

        Args:
            train: the images that trained the samplers.
            classifier: of the data's classes; None where the data have none.
        """
        self._train, self._classifier, self._bins = train, classifier, Bins(train)

    def measure(self, samples: Float[Tensor, "m d"]) -> list[Estimate]:
        """Returns every measure of this group; without a classifier those of classes are missing.

        Args:
            samples: of one sampler.
        """
        share = collapse_share(samples, self._train)
        n, alarm = min(POINTS, len(samples)), {"collapsed": int(share >= COLLAPSED)}
        return [
            Estimate("collapse_share", share, n=n, labels={**alarm}),
            self._bins.different(samples),
            *(class_coverage(samples, self._classifier) if self._classifier else ()),
        ]


class Bins:
    """K-means cells of the training images, and how many of these lie in each."""

    def __init__(self, train: Float[Tensor, "n d"]) -> None:
        """Divides pixel space.

        Args:
            train: training images; they make the bins and are counted in them.
        """
        # Fewer bins for small data sets: a bin's share must be known well enough to be compared.
        count = max(2, min(BINS, len(train) // IMAGES_PER_BIN))
        rows = train.cpu().numpy()
        self._kmeans = MiniBatchKMeans(count, batch_size=1024, random_state=0).fit(rows)
        self._train = np.bincount(self._kmeans.labels_, minlength=count)

    def different(self, samples: Float[Tensor, "m d"]) -> Estimate:
        """Returns the share of bins whose share of samples differs from that of training images.

        NDB / K: bins where |p - q| / sqrt(P (1 - P) (1/n + 1/m)) exceeds 1.96, P being the share of
        both together. The standard error is that of a share, sqrt(v (1 - v) / K): an upper bound,
        since bins differ in how likely they are to stand out.

        Args:
            samples: of the model.

        Source: Richardson and Weiss, "On GANs and GMMs", NeurIPS 2018, arXiv 1805.12462.
        """
        counts = np.bincount(
            self._kmeans.predict(samples.cpu().numpy()), minlength=len(self._train)
        )
        # Under the hypothesis that both come from one distribution, its share of a bin is known
        # best from both together.
        n, m = self._train.sum(), len(samples)
        pooled = (self._train + counts) / (n + m)
        deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        # A bin without any image cannot differ.
        z = np.abs(self._train / n - counts / m) / np.where(deviation > 0, deviation, 1)
        share = float((z > SIGNIFICANT).mean())
        error = (share * (1 - share) / len(z)) ** 0.5
        return Estimate("different_bins", share, error, n=m, labels={"bins": len(z)})


def class_coverage(samples: Float[Tensor, "m d"], classifier: Classifier) -> list[Estimate]:
    """Returns how the samples' classes differ from the data's, and the judge's own accuracy.

    The divergence is sum p log(p / q), p the shares of the classes among the samples and q among
    the test images, both as the classifier sees them, so that its bias cancels; q counts half an
    image more in each class. Its standard error is by multinomial resampling of the samples. A
    class is hit when it has at least a tenth of its share in the data.

    Args:
        samples: of the model.
        classifier: trained on the training images.

    Source: after Che et al., "Mode regularized generative adversarial networks", ICLR 2017 (there
    the mode score); histogram over modes by a classifier: Metz et al., "Unrolled GANs", 2017.
    """
    # Half an image more, since a class that the classifier never names would make it infinite.
    data = classifier.test_histogram + 0.5
    counts = _histogram(classifier.predict(samples), len(data))
    shares, q = counts / counts.sum(), data / data.sum()
    # No formula holds near zero divergence, where its distribution is one-sided: draw it instead.
    stream = np.random.default_rng(0)
    drawn = stream.multinomial(len(samples), shares, size=RESAMPLES) / len(samples)
    error = float(np.std([_divergence(p, q) for p in drawn], ddof=1))
    n = len(samples)
    return [
        Estimate("class_divergence", _divergence(shares, q), error, n=n),
        Estimate("classes_hit", float((shares >= HIT * q).sum()), n=n, labels={"classes": len(q)}),
        Estimate(
            "classifier_accuracy", classifier.accuracy, n=int(classifier.test_histogram.sum())
        ),
    ]


def _histogram(labels: Int64[Tensor, " n"], classes: int) -> np.ndarray:
    return torch.bincount(labels, minlength=classes).numpy().astype(float)


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    # p log p goes to 0 with p.
    present = p > 0
    return float((p[present] * np.log(p[present] / q[present])).sum())
