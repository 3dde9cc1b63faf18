"""All sample metrics of one data set: what depends on the data alone is computed once."""

import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.evaluation import memorisation
from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.coverage import Bins, class_coverage
from ganbench.evaluation.distances import nearest_two
from ganbench.evaluation.diversity import COLLAPSED, POINTS, collapse_share
from ganbench.evaluation.measures import Estimate
from ganbench.evaluation.parzen import log_likelihoods
from ganbench.evaluation.two_sample import two_sample

FEWEST = 1000  # samples are looked at, however few the fresh images are


class Yardstick:
    """A data set's side of every measure, worked out once for many samplers."""

    def __init__(
        self,
        train: Float[Tensor, "n d"],
        fresh: Float[Tensor, "m d"],
        half_level: float,
        classifier: Classifier | None,
    ) -> None:
        """Makes the bins and finds the fresh images' nearest training images.

        Args:
            train: the images that trained the samplers.
            fresh: images that did not: the test set.
            half_level: pixels nearer than this are stored alike: half a step of the data's levels.
            classifier: of the data's classes; None where the data have none.
        """
        self._train, self._fresh = train, fresh
        self._half_level, self.classifier = half_level, classifier
        self._bins, self._cells = Bins(train), memorisation.Cells(train, fresh)
        self._fresh_to_train = nearest_two(fresh, train)
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
        self._known = train[order[: len(fresh)].to(train.device)]

    def first_n(self, samples: Float[Tensor, "k d"]) -> Float[Tensor, "l d"]:
        """Returns the first samples, as many as fresh images: these limit what can be known."""
        return samples[: max(FEWEST, len(self._fresh))]

    def measure(self, samples: Float[Tensor, "k d"], sigma: float) -> list[Estimate]:
        """Returns every measure of `ganbench.evaluation.measures.MEASURES` that the data allow.

        Without a classifier, those of classes are left out.

        Args:
            samples: of one sampler; `first_n` of them are looked at.
            sigma: their Parzen bandwidth, pixel units.
        """
        few = self.first_n(samples)
        likelihoods = [
            log_likelihoods(images, few, [sigma])[0] for images in (self._known, self._fresh)
        ]
        share = collapse_share(few, self._train)
        return [
            *self._copying(few),
            memorisation.parzen_gap(*likelihoods),
            Estimate(
                "collapse_share",
                share,
                n=min(POINTS, len(few)),
                labels={"collapsed": int(share >= COLLAPSED)},
            ),
            self._bins.different(few),
            *(class_coverage(few, self.classifier) if self.classifier else ()),
            *two_sample(few, self._fresh),
        ]

    def _copying(self, samples: Float[Tensor, "k d"]) -> list[Estimate]:
        train, fresh = self._train, self._fresh
        to_train, to_fresh = nearest_two(samples, train), nearest_two(samples, fresh)
        return [
            memorisation.copied_share(to_train, to_fresh, len(train), len(fresh)),
            *self._cells.data_copying(samples),
            memorisation.nearest_ratio(to_train, self._fresh_to_train),
            memorisation.near_duplicates(to_train),
            memorisation.exact_duplicates(samples, train[to_train.index], self._half_level),
        ]
