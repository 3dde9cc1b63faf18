"""What `evaluate` and `baselines` share: samples of anything to metrics of its likelihood."""

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ganbench.data.datasets import Dataset
from ganbench.evaluation.likelihood import FoldEstimate, LikelihoodEstimate, estimate
from ganbench.evaluation.parzen import PROTOCOLS, Protocol
from ganbench.evaluation.uncertainty import samples_curve
from ganbench.records import Metric
from ganbench.stages.context import Job

Labels = dict[str, str | int | float]
ToRows = Callable[[np.ndarray], Float[Tensor, "_n d"]]
SHOWN = ("source", "checkpoint", "draw")  # of the labels, while it runs
# How many samples the curve is drawn at, as far as there are so many.
CURVE = (100, 300, 1_000, 3_000, 10_000, 30_000, 50_000, 100_000)


class Likelihood:
    """Measures the likelihood of samples of one data set under one protocol."""

    def __init__(self, dataset: Dataset, protocol: Protocol, to_rows: ToRows, title: str) -> None:
        """Puts validation and test images on the device.

        Args:
            dataset: validation and test images.
            protocol: fixes everything else.
            to_rows: stored images to rows on the device.
            title: begins what is printed.
        """
        self.protocol, self.title = protocol, title
        self.validation = [to_rows(fold.validation) for fold in dataset.folds]
        self.test = [to_rows(fold.test) for fold in dataset.folds]

    @classmethod
    def of(cls, job: Job, dataset: Dataset, protocol: str | None = None) -> "Likelihood":
        """Returns that of an experiment, with its preprocessing, and its protocol if none given."""

        def to_rows(raw: np.ndarray) -> Tensor:
            return job.images(dataset, raw).rows()

        named = PROTOCOLS[protocol or job.experiment.evaluation.protocol]
        return cls(dataset, named, to_rows, job.experiment.title)

    def metrics(self, samples: Float[Tensor, "n d"], labels: Labels) -> list[Metric]:
        """Returns the headline and everything behind it.

        Args:
            samples: the centres.
            labels: go to every metric.
        """
        estimated = self._estimate(samples, labels)
        labels = labels | {"protocol": estimated.protocol, "n_centers": estimated.n_centers}
        several = len(estimated.folds) > 1
        metrics = [_headline(estimated, labels)]
        curves: list[Metric] = []
        for number, fold in enumerate(estimated.folds):
            fold_labels = labels | ({"fold": number} if several else {})
            if several:
                metrics.append(_fold("fold_log_likelihood", fold, fold_labels))
            curves += _curve(fold, fold_labels)
        return [*metrics, *_uncertainty_metrics(estimated, labels), *curves]

    def under_protocol(self, samples: Float[Tensor, "n d"], labels: Labels) -> list[Metric]:
        """Returns the headline under a protocol that is not the experiment's own.

        Args:
            samples: the centres.
            labels: go to the metric; `protocol` is added.
        """
        estimated = self._estimate(samples, labels)
        labels = labels | {"protocol": estimated.protocol, "n_centers": estimated.n_centers}
        headline = _headline(estimated, labels)
        return [headline.model_copy(update={"name": "log_likelihood_under_protocol"})]

    def redrawn(self, samples: Float[Tensor, "n d"], labels: Labels) -> list[Metric]:
        """Returns the headline of another draw, which chooses a bandwidth of its own.

        Args:
            samples: the centres.
            labels: go to the metric; `draw` tells which.
        """
        estimated = self._estimate(samples, labels)
        labels = labels | {"protocol": estimated.protocol, "n_centers": estimated.n_centers}
        return [_headline(estimated, labels).model_copy(update={"name": "redrawn_log_likelihood"})]

    def by_samples(self, parts: Iterable[Float[Tensor, "_n d"]], labels: Labels) -> list[Metric]:
        """Returns the likelihood of growing sets of samples, on fold 0 where there are folds.

        Args:
            parts: samples; each part adds to those before it.
            labels: go to every metric.
        """
        chosen = self.protocol.validation_images(self.validation[0], len(self.validation))
        curve = samples_curve(chosen, self.test[0], parts, self.protocol, len(self.validation))
        return [
            Metric(
                name="log_likelihood_by_samples",
                value=point.log_likelihood,
                unit="nats",
                standard_error=point.standard_error,
                n=len(self.test[0]),
                labels=labels
                | {
                    "protocol": self.protocol.named(point.samples),
                    "n_centers": point.samples,
                    "sigma": point.sigma,
                },
            )
            for point in curve
        ]

    def _estimate(self, samples: Tensor, labels: Labels) -> LikelihoodEstimate:
        where = " ".join(str(labels[name]) for name in SHOWN if name in labels)
        estimated = estimate(
            self.validation,
            self.test,
            samples.to(self.test[0].device),
            self.protocol,
            _progress(where),
        )
        sigmas = sorted({fold.sigma for fold in estimated.folds})
        print(
            f"{self.title}: {where}: {estimated.log_likelihood:.1f} nats "
            f"at sigma {', '.join(f'{sigma:.4f}' for sigma in sigmas)}, "
            f"grid penalty {estimated.grid_penalty:.1f}",
            flush=True,
        )
        return estimated


def curve_parts(total: int) -> list[int]:
    """Returns how many samples each point of the curve adds, for so many samples in all."""
    sizes = sorted({size for size in CURVE if size < total} | {min(total, CURVE[-1])})
    return [size - before for size, before in zip(sizes, [0, *sizes], strict=False)]


def _headline(estimated: LikelihoodEstimate, labels: Labels) -> Metric:
    """One fold is its own headline; of several, the mean and the standard error over them."""
    if len(estimated.folds) == 1:
        return _fold("log_likelihood", estimated.folds[0], labels)
    note = PROTOCOLS[estimated.protocol.partition("_")[0]].note
    return Metric(
        name="log_likelihood",
        value=estimated.log_likelihood,
        unit="nats",
        standard_error=estimated.standard_error,
        n=len(estimated.folds),
        labels=labels | {"split": "test"} | ({"protocol_note": note} if note else {}),
    )


def _fold(name: str, fold: FoldEstimate, labels: Labels) -> Metric:
    return Metric(
        name=name,
        value=fold.log_likelihood,
        unit="nats",
        standard_error=fold.standard_error,
        n=fold.n_test,
        labels=labels
        | {"split": "test", "sigma": fold.sigma, "sigma_at_grid_edge": int(fold.at_grid_edge)},
    )


def _curve(fold: FoldEstimate, labels: Labels) -> list[Metric]:
    return [
        Metric(
            name="validation_log_likelihood",
            value=value,
            unit="nats",
            n=fold.n_validation,
            labels=labels | {"sigma": sigma},
        )
        for sigma, value in zip(fold.sigmas, fold.validation_log_likelihoods, strict=True)
    ]


def _uncertainty_metrics(estimated: LikelihoodEstimate, labels: Labels) -> list[Metric]:
    """What the grid costs, and what other validation images would have changed."""
    at_bound = int(any(fold.penalty_at_bound for fold in estimated.folds))
    penalty, error, count = (
        estimated.grid_penalty,
        estimated.bandwidth_error,
        estimated.n_validation,
    )
    return [
        Metric(
            name="grid_penalty",
            value=penalty,
            unit="nats",
            n=count,
            labels=labels | {"split": "validation", "at_bound": at_bound},
        ),
        Metric(
            name="bandwidth_error",
            value=error,
            unit="nats",
            n=count,
            labels=labels | {"split": "test"},
        ),
    ]


def _progress(where: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        print(f"{where}: {done} of {total} test images", flush=True)

    return show
