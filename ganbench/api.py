"""ganbench in Python: score samples, train the paper's networks, draw from them.

Heavy imports wait until a function needs them, as on the command line.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.catalogue import DATASETS
from ganbench.errors import GanbenchError
from ganbench.inputs import SHIPPED, missing, shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor, nn

    from ganbench.config import Adversarial
    from ganbench.records import Record

DEFAULT_DATASET = "mnist"


@dataclass(frozen=True)
class ScoreResult:
    """What `score` measured; prints as `ganbench score` does.

    Attributes:
        record: every number with its unit, error and provenance.
    """

    record: "Record"

    @property
    def log_likelihood(self) -> float:
        """Mean Parzen log-likelihood of the test images, nats; higher is better."""
        return next(one.value for one in self.record.metrics if one.name == "log_likelihood")

    def to_dict(self) -> dict[str, Any]:
        """Returns the record as plain values, as its JSON has them."""
        return self.record.model_dump(mode="json")

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each number: name, source, value, standard_error, low, high, unit, n.

        Sources are the samples and their baselines; low and high end the 95 % interval.
        """
        import pandas as pd

        rows = []
        for metric in self.record.metrics:
            low, high = metric.interval or (None, None)
            labels = {key: value for key, value in metric.labels.items() if key != "source"}
            rows.append(
                {
                    "name": metric.name,
                    "source": metric.labels["source"],
                    "value": metric.value,
                    "standard_error": metric.standard_error,
                    "low": low,
                    "high": high,
                    "unit": metric.unit,
                    "n": metric.n,
                    "labels": labels,
                }
            )
        return pd.DataFrame(rows)

    def compare(self, other: "ScoreResult") -> "pd.DataFrame":
        """Returns each measure of both: first, second, difference, and its 95 % interval."""
        from ganbench.report.sample_metrics.terminal import comparison

        frame = comparison(self.record, other.record)
        return frame.drop(columns=[name for name in frame if name.endswith("_text")])

    def write(self, path: Path | str) -> None:
        """Writes the record as JSON."""
        self.record.write(Path(path))

    def __str__(self) -> str:
        from ganbench.report.sample_metrics.terminal import score_text

        return score_text(self.record)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ganbench.report.sample_metrics.terminal import score_words

        return score_words(self.record).to_html(index=False)


def score(
    samples: "Path | str | np.ndarray | Tensor",
    dataset: str | None = None,
    *,
    protocol: str = "gan2014",
    data_dir: Path | str | None = None,
    device: str = "auto",
    allow_copies: bool = False,
) -> ScoreResult:
    """Measures samples beside baselines: likelihood, memorisation, coverage, two-sample distances.

    Downloads the data set where it is not there yet.

    Args:
        samples: pixels in [0, 1] (see docs/score.md for the shapes), or a file of them.
        dataset: a data set's name; None takes the one whose images have the samples' shape.
        protocol: fixes how many samples, which images and which bandwidths.
        data_dir: the data directory; else $GANBENCH_DATA, else the user's cache.
        device: "auto", "cpu" or "cuda".
        allow_copies: measure the samples even if some are images of the data set.

    Raises:
        GanbenchError: an unknown name, or samples or data that cannot be used.
    """
    from ganbench.data import sample_files
    from ganbench.stages.score import score_samples

    samples = Path(samples) if isinstance(samples, str) else samples
    folder = Path(data_dir) if data_dir is not None else None
    if dataset is None:
        values = sample_files.read(samples) if isinstance(samples, Path) else samples
        dataset = guess_dataset(tuple(values.shape[1:]))
    _fetch(dataset, folder)
    return ScoreResult(score_samples(samples, dataset, protocol, folder, device, allow_copies))


def guess_dataset(shape: tuple[int, ...]) -> str:
    """Returns the data set whose images have this shape, and says so on stderr.

    One that can be had by everybody goes before one that its user must supply.

    Args:
        shape: of one sample, in any of the layouts of `sample_files.rows`.

    Raises:
        GanbenchError: there are several, or none.
    """
    fitting = [name for name, facts in DATASETS.items() if shape in _layouts(facts.shape)]
    fitting = [name for name in fitting if DATASETS[name].files] or fitting
    if len(fitting) != 1:
        names = ", ".join(fitting or DATASETS)
        raise GanbenchError(f"--dataset: samples of shape {shown(shape)} name none; give {names}")
    print(f"data set: {fitting[0]}, by the shape of the samples", file=sys.stderr)
    return fitting[0]


def _layouts(shape: tuple[int, int, int]) -> tuple[tuple[int, ...], ...]:
    channels, height, width = shape
    layouts = (shape, (channels * height * width,), (height, width, channels))
    return (*layouts, (height, width), (height, width, 3)) if channels == 1 else layouts


def _fetch(dataset: str, data_dir: Path | None) -> None:
    """Downloads what is missing; names that do not exist are told of by who loads them."""
    from ganbench.data.fetch import available, data_directory, fetch

    directory = data_directory(data_dir)
    if dataset in DATASETS and not available(dataset, directory):
        fetch(dataset, directory, progress=sys.stderr.isatty())


def table(**results: ScoreResult) -> "pd.DataFrame":
    """Returns scored samples side by side: a row for each measure, a column for each name.

    The last column has the first result's baselines.

    Raises:
        GanbenchError: none are given, or they are of different data sets or protocols.
    """
    from ganbench.report.sample_metrics.terminal import score_words

    settings = {
        (one.record.config["dataset"], one.record.config["protocol"]) for one in results.values()
    }
    if len(settings) != 1:
        raise GanbenchError(
            f"table: got results of {sorted(settings)}; give results of one data set and protocol"
        )
    words = {name: score_words(one.record).set_index("Measure") for name, one in results.items()}
    first = next(iter(words.values()))
    frame = first.filter(["Baseline"])
    for place, (name, one) in enumerate(words.items()):
        frame.insert(place, name, one["Samples"])
    return frame


class ScoreMetric:
    """Collects samples batch by batch and scores them, in the way of torchmetrics.

    metric = ScoreMetric("mnist")
    metric.update(generator(noise))   # as often as needed
    print(metric.compute())
    """

    def __init__(self, dataset: str = DEFAULT_DATASET, **options: Any) -> None:
        """Takes what `score` takes but the samples."""
        self.dataset, self.options = dataset, options
        self._batches: list[Tensor] = []

    def update(self, samples: "np.ndarray | Tensor") -> None:
        """Adds a batch; it is kept on the CPU, without its gradient."""
        import torch

        self._batches.append(torch.as_tensor(samples).detach().cpu().float().flatten(1))

    def compute(self) -> ScoreResult:
        """Scores all samples since the last reset.

        Raises:
            GanbenchError: there are none, or too few for the protocol.
        """
        import torch

        if not self._batches:
            raise GanbenchError("ScoreMetric: got no samples; call update first")
        return score(torch.cat(self._batches), self.dataset, **self.options)

    def reset(self) -> None:
        """Forgets all samples."""
        self._batches.clear()


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator of `ganbench train`.

    Attributes:
        module: noise (N, z) to samples (N, D).
        experiment: the settings that it was trained with.
    """

    module: "nn.Module"
    experiment: "Adversarial"

    def sample(self, count: int, seed: int = 0) -> "Tensor":
        """Returns samples (count, C, H, W), pixels as the experiment's preprocessing has them."""
        import torch

        from ganbench import seeding
        from ganbench.training.sampling import draw_samples

        stream = seeding.generator(seed, "sampling", 0)
        rows = draw_samples(self.module, self.experiment, count, stream, torch.device("cpu"))
        return rows.view(count, *DATASETS[self.experiment.dataset].shape)


def train(
    experiment: Path | str,
    out: Path | str,
    seeds: Sequence[int] = (0,),
    *,
    data_dir: Path | str | None = None,
    device: str = "auto",
) -> list[TrainedGenerator]:
    """Trains one generator a seed, all together, going on from checkpoints as the command does.

    Seeds whose record is there are not trained again.

    Args:
        experiment: the name of a shipped experiment, as in "mnist" or "digits", or a file.
        out: the folder of the run; each seed writes below OUT/seed_N.
        seeds: what differs between the generators.
        data_dir: the data directory; else $GANBENCH_DATA, else the user's cache.
        device: "auto", "cpu" or "cuda".

    Raises:
        GanbenchError: a name or a setting is wrong, data cannot be had, or a seed diverged.
    """
    from ganbench.config import load_experiment
    from ganbench.data.fetch import data_directory
    from ganbench.stages.context import Job
    from ganbench.stages.train import train as run

    config = experiment_file(experiment)
    folder = Path(data_dir) if data_dir is not None else None
    _fetch(load_experiment(config).dataset, folder)
    outs = {seed: Path(out) / f"seed_{seed}" / "train.json" for seed in seeds}
    jobs = [
        Job("train", config, path, "by_hand", seed, device, "auto")
        for seed, path in outs.items()
        if missing(path)
    ]
    for job in jobs:
        job.out.parent.mkdir(parents=True, exist_ok=True)
    if jobs:
        run(jobs, data_directory(folder))
    return [load_generator(path.parent) for path in outs.values()]


def experiment_file(name: Path | str) -> Path:
    """Returns the file of an experiment: `name` itself if it ends in .yaml, else a shipped one.

    Raises:
        GanbenchError: no experiment of that name is shipped.
    """
    path = Path(name)
    if path.suffix == ".yaml":
        return path
    folder = SHIPPED / "configs" / "experiments"
    shipped = folder / f"{path.name}.yaml"
    if missing(shipped):
        names = ", ".join(sorted(one.stem for one in folder.glob("*.yaml")))
        raise GanbenchError(f"experiment: got {shown(name)}; give a .yaml file or one of {names}")
    return shipped


def load_generator(folder: Path | str, checkpoint: str = "last") -> TrainedGenerator:
    """Returns a trained generator.

    Args:
        folder: what holds train.json and the weights.
        checkpoint: "last", "best_validation", or as in "epoch_300" where the run reports that.

    Raises:
        GanbenchError: there is none, or a file is not as the record says.
    """
    import torch

    from ganbench.config import Adversarial
    from ganbench.data.rows import Images
    from ganbench.records import companion, known_experiment, read_record
    from ganbench.stages.sample import load_generator as load

    path = Path(folder) / "train.json"
    record = read_record(path)
    weights = f"generator_{checkpoint}.safetensors"
    if weights not in record.files:
        names = ", ".join(sorted(record.files))
        raise GanbenchError(f"{path}: has no {shown(weights)}; it has {names or 'no weights'}")
    experiment = known_experiment(record)
    if not isinstance(experiment, Adversarial):
        raise GanbenchError(
            f"{path}: its method is {experiment.method}, not a generator of noise; "
            "draw its samples with `ganbench sample`"
        )
    # Of an image only the shape matters.
    shape = DATASETS[experiment.dataset].shape
    image = Images(torch.zeros(1, *shape, dtype=torch.uint8), 1.0, experiment.preprocessing)
    module = load(companion(path, record, weights), experiment, image)
    return TrainedGenerator(module.eval(), experiment)
