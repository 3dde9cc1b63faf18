"""The sample metrics: each one's unit, source, and the value of a perfect sampler.

Imports neither torch nor anything of ours: tables read it too.
"""

from dataclasses import dataclass, field
from typing import Literal

Group = Literal["memorisation", "coverage", "two samples"]


@dataclass(frozen=True)
class Measure:
    """One kind of number.

    Attributes:
        title: heads its column.
        unit: of the value.
        group: what it asks.
        direction: which way is better, in words.
        source: where it comes from.
        digits: behind the point, worth reading.
        share: whether it lies between 0 and 1, as its interval must.
    """

    title: str
    unit: str
    group: Group
    direction: str
    source: str
    digits: int
    share: bool = False


@dataclass(frozen=True)
class Estimate:
    """A measured value.

    Attributes:
        name: a key of `MEASURES`.
        value: in the measure's unit.
        standard_error: in the same unit; None where none is known.
        interval: 95 %, in the same unit; None where none is known.
        n: number of values behind it.
        labels: what tells it from others of its name.
    """

    name: str
    value: float
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    labels: dict[str, str | int | float] = field(default_factory=dict)


MEASURES = {
    "copied_share": Measure(
        "Copied", "1", "memorisation", "0 is best; 1: every sample copies", "ours", 2
    ),
    "copying_z": Measure(
        "Data copying C_T",
        "standard deviations",
        "memorisation",
        "0 is best; below -3: nearer to the training images than fresh ones are",
        "Meehan et al. 2020",
        1,
    ),
    "copying_superiority": Measure(
        "P(farther)", "1", "memorisation", "0.5 is best; 0: copies", "Meehan et al. 2020", 3, True
    ),
    "nearest_ratio": Measure(
        "Distance ratio",
        "1",
        "memorisation",
        "1 is best; falls for copies, and may for blur",
        "folklore",
        3,
    ),
    "near_duplicates": Measure(
        "Near copies", "1", "memorisation", "lower is better", "Yoon et al. 2023", 4
    ),
    "exact_duplicates": Measure(
        "Exact copies", "1", "memorisation", "lower is better", "plain count", 4
    ),
    "parzen_gap": Measure(
        "Train - test", "nats", "memorisation", "0 is best; higher: memorises", "Wu et al. 2017", 1
    ),
    "collapse_share": Measure(
        "Pairs alike",
        "1",
        "coverage",
        "0.01 is best; 1: one image",
        "after Arora and Zhang 2017",
        3,
    ),
    "different_bins": Measure(
        "Different bins",
        "1",
        "coverage",
        "0.05 is best; 1 is worst",
        "Richardson and Weiss 2018",
        2,
    ),
    "class_divergence": Measure(
        "Class KL", "nats", "coverage", "0 is best", "after Che et al. 2017", 3
    ),
    "classes_hit": Measure("Classes hit", "classes", "coverage", "all is best", "ours", 0),
    "classifier_accuracy": Measure(
        "Classifier", "1", "coverage", "of the judge, not of the samples", "ours", 3
    ),
    "neighbour_accuracy": Measure(
        "1-NN accuracy",
        "1",
        "two samples",
        "0.5 is best; 1: told apart; 0: copies of the test images",
        "Lopez-Paz and Oquab 2017",
        3,
        share=True,
    ),
    "squared_mmd": Measure(
        "MMD²", "1", "two samples", "0 is best (may be negative)", "Gretton et al. 2012", 4
    ),
    "precision": Measure(
        "Precision",
        "1",
        "two samples",
        "as high as of fresh images",
        "Kynkäänniemi et al. 2019",
        3,
        share=True,
    ),
    "recall": Measure(
        "Recall",
        "1",
        "two samples",
        "as high as of fresh images",
        "Kynkäänniemi et al. 2019",
        3,
        share=True,
    ),
}
