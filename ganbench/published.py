"""The paper's Table 1 as printed: Parzen-window log-likelihoods of four models on two data sets."""

from dataclasses import dataclass
from typing import Literal

PaperColumn = Literal["MNIST", "TFD"]
ErrorOver = Literal["test images", "folds"]

GAN2014 = "Goodfellow et al. 2014, arXiv 1406.2661"
# What the printed plus-minus of each column is taken over; never over training seeds.
ERROR_OVER: dict[PaperColumn, ErrorOver] = {"MNIST": "test images", "TFD": "folds"}


@dataclass(frozen=True)
class PublishedResult:
    """One printed number.

    Args:
        column: the data set, as the paper's Table 1 heads it.
        model: the row, as printed.
        log_likelihood: nats, higher is better.
        standard_error: nats, over what `ERROR_OVER` says.
    """

    column: PaperColumn
    model: str
    log_likelihood: float
    standard_error: float


RESULTS = (
    PublishedResult("MNIST", "DBN (Bengio et al. 2013)", 138.0, 2.0),
    PublishedResult("MNIST", "Stacked CAE (Bengio et al. 2013)", 121.0, 1.6),
    PublishedResult("MNIST", "Deep GSN (Bengio et al. 2014)", 214.0, 1.1),
    PublishedResult("MNIST", "Adversarial nets", 225.0, 2.0),
    PublishedResult("TFD", "DBN (Bengio et al. 2013)", 1909.0, 66.0),
    PublishedResult("TFD", "Stacked CAE (Bengio et al. 2013)", 2110.0, 50.0),
    PublishedResult("TFD", "Deep GSN (Bengio et al. 2014)", 1890.0, 29.0),
    PublishedResult("TFD", "Adversarial nets", 2057.0, 26.0),
)


def table1(column: PaperColumn) -> tuple[PublishedResult, ...]:
    """Returns the four rows of a column of the paper's Table 1, in its order."""
    return tuple(result for result in RESULTS if result.column == column)


@dataclass(frozen=True)
class PrintedLikelihood:
    """What a paper prints of a method on MNIST.

    Args:
        log_likelihood: nats.
        standard_error: nats, over test images.
        source: of the number.
        scored_with: what is known of how.
    """

    log_likelihood: float
    standard_error: float
    source: str
    scored_with: str


def _in_table1(model: str, scored_with: str) -> PrintedLikelihood:
    (row,) = (one for one in table1("MNIST") if one.model == model)
    source = f"{GAN2014}, Table 1: {model}"
    return PrintedLikelihood(row.log_likelihood, row.standard_error, source, scored_with)


GSN_SCRIPT = "the GSN authors' script, sigma by hand"
UNKNOWN = "not known"
# On MNIST, by the name of the method in an experiment's file.
PRINTED = {
    "adversarial": _in_table1("Adversarial nets", "gan2014"),
    "dbn": _in_table1("DBN (Bengio et al. 2013)", UNKNOWN),
    "stacked_cae": _in_table1("Stacked CAE (Bengio et al. 2013)", UNKNOWN),
    "deep_gsn": _in_table1("Deep GSN (Bengio et al. 2014)", GSN_SCRIPT),
    "vae": PrintedLikelihood(325.0, 2.0, "eVAE paper (Yeung et al. 2017), Table 2", UNKNOWN),
    "adversarial_autoencoder": PrintedLikelihood(
        340.0, 2.0, "as quoted by the eVAE paper, Table 2", UNKNOWN
    ),
}
