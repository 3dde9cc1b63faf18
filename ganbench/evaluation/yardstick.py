"""All sample metrics of one data set: what depends on the data alone is computed once."""

from jaxtyping import Float
from torch import Tensor

from ganbench.evaluation.classifier import Classifier
from ganbench.evaluation.coverage import Coverage
from ganbench.evaluation.measures import Estimate
from ganbench.evaluation.memorisation import Memorisation
from ganbench.evaluation.two_sample import two_sample

FEWEST = 1000  # samples are looked at, however few the fresh images are


class Yardstick:
    """What every measure needs of a data set, computed once for many samplers."""

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
        self._fresh, self.classifier = fresh, classifier
        self._coverage = Coverage(train, classifier)
        self._memorisation = Memorisation(train, fresh, half_level)

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
        return [
            *self._memorisation.measure(few, sigma),
            *self._coverage.measure(few),
            *two_sample(few, self._fresh),
        ]
