"""The literature's Parzen-window log-likelihoods, as printed.

Only numbers that were read again in their source (`reread`) may be quoted; the others say so.
"""

from dataclasses import dataclass
from typing import Literal

PaperColumn = Literal["MNIST", "TFD"]
ErrorOver = Literal["test images", "folds"]

# What the printed plus-minus of each column is taken over; never over training seeds.
ERROR_OVER: dict[PaperColumn, ErrorOver] = {"MNIST": "test images", "TFD": "folds"}


@dataclass(frozen=True)
class PublishedResult:
    """One printed number.

    Args:
        column: the data set, as the paper's Table 1 heads it.
        model: the row, as printed.
        log_likelihood: nats, higher is better.
        standard_error: nats, over what `ERROR_OVER` says; None where none is printed.
        source: the paper it is printed in.
        place: table within the source; empty where our notes do not hold it.
        reread: whether the number was read again in its source.
    """

    column: PaperColumn
    model: str
    log_likelihood: float
    standard_error: float | None
    source: str
    place: str
    reread: bool

    @property
    def citation(self) -> str:
        """Where the number stands, with a warning where it was not read there again."""
        where = f"{self.source}, {self.place}" if self.place else self.source
        return where if self.reread else f"{where} (not re-read)"


def table1(column: PaperColumn) -> tuple[PublishedResult, ...]:
    """Returns the four rows of a column of Table 1 of the paper, in its order."""
    return tuple(
        result for result in RESULTS if result.column == column and result.source == GAN2014
    )


def _results(
    source: str, place: str, rows: tuple[tuple[str, PaperColumn, float, float | None], ...]
) -> tuple[PublishedResult, ...]:
    return tuple(
        PublishedResult(column, model, value, error, source, place, source not in NOT_REREAD)
        for model, column, value, error in rows
    )


GAN2014 = "Goodfellow et al. 2014, arXiv 1406.2661"
CONDITIONAL_GAN = "Mirza and Osindero 2014, arXiv 1411.1784"
GMMN = "Li et al. 2015, arXiv 1502.02761"
DIFFUSION = "Sohl-Dickstein et al. 2015, arXiv 1503.03585"
THEIS = "Theis et al. 2015, arXiv 1511.01844"
AAE = "Makhzani et al. 2015, arXiv 1511.05644"
EVAE = "the eVAE paper"
NOT_REREAD = frozenset({GMMN, THEIS})

RESULTS: tuple[PublishedResult, ...] = (
    *_results(
        GAN2014,
        "Table 1",
        (
            ("DBN (Bengio et al. 2013)", "MNIST", 138.0, 2.0),
            ("DBN (Bengio et al. 2013)", "TFD", 1909.0, 66.0),
            ("Stacked CAE (Bengio et al. 2013)", "MNIST", 121.0, 1.6),
            ("Stacked CAE (Bengio et al. 2013)", "TFD", 2110.0, 50.0),
            ("Deep GSN (Bengio et al. 2014)", "MNIST", 214.0, 1.1),
            ("Deep GSN (Bengio et al. 2014)", "TFD", 1890.0, 29.0),
            ("Adversarial nets", "MNIST", 225.0, 2.0),
            ("Adversarial nets", "TFD", 2057.0, 26.0),
        ),
    ),
    *_results(CONDITIONAL_GAN, "", (("Conditional GAN", "MNIST", 132.0, 1.8),)),
    *_results(
        DIFFUSION,
        "",
        (
            # Printed in bits: 317 +- 2.7 and 349 +- 3.3.
            ("Diffusion", "MNIST", 220.0, 1.9),
            ("Training images as samples", "MNIST", 241.9, None),
        ),
    ),
    *_results(
        GMMN,
        "",
        (
            ("GMMN", "MNIST", 147.0, 2.0),
            ("GMMN", "TFD", 2085.0, 25.0),
            ("GMMN + autoencoder", "MNIST", 282.0, 2.0),
            ("GMMN + autoencoder", "TFD", 2204.0, 20.0),
        ),
    ),
    *_results(
        AAE,
        "",
        (
            ("AAE, 10,000 samples", "MNIST", 340.0, 2.0),
            ("AAE, 10,000 samples", "TFD", 2252.0, 16.0),
        ),
    ),
    *_results(
        EVAE,
        "Table 2",
        (
            ("VAE", "MNIST", 325.0, 2.0),
            ("VAE", "TFD", 2180.0, 20.0),
            ("mVAE", "MNIST", 338.0, 2.0),
            ("mVAE", "TFD", 2358.0, 20.0),
            ("eVAE", "MNIST", 337.0, 2.0),
            ("eVAE", "TFD", 2371.0, 20.0),
        ),
    ),
    *_results(
        THEIS,
        "",
        (
            ("True distribution", "MNIST", 243.0, None),
            ("k-means centres", "MNIST", 313.0, None),
        ),
    ),
)
