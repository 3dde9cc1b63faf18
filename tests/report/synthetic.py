"""Records as the stages write them, made up: the report is tested without training anything."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganbench.catalogue import DATASETS
from ganbench.config import Experiment, settings_digest, suite_experiments
from ganbench.provenance import file_sha256
from ganbench.records import Metric, Provenance, Record

EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiments"
SIGMAS = np.logspace(-1, 0, 10)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Synthetic:
    """A suite on disk whose records say what a test wants them to say.

    Args:
        folder: where everything goes.
        seeds: seeds of each experiment, by the name of its file in configs/experiments.
        scores: log-likelihood of the last epoch's state, nats, by (experiment, seed).
        statuses: status other than ok, by (experiment, seed).
        unavailable: experiments whose data cannot be had.
    """

    folder: Path
    seeds: dict[str, tuple[int, ...]]
    scores: dict[tuple[str, int], float] = field(default_factory=dict)
    statuses: dict[tuple[str, int], str] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()

    @property
    def config(self) -> Path:
        return self.folder / "suite.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results" / "synthetic"

    @property
    def out(self) -> Path:
        return self.results / "report" / "report.json"

    @property
    def report(self) -> dict:
        return json.loads(self.out.read_text())

    def record_path(self, experiment: str, seed: int, stage: str) -> Path:
        return self.results / experiment / f"seed_{seed}" / f"{stage}.json"

    def edit(self, path: Path, **changes: object) -> None:
        """Changes top-level keys of a record; `provenance` and `config_digest` for instance."""
        content = json.loads(path.read_text())
        for key, value in changes.items():
            old = content[key]
            content[key] = old | value if isinstance(old, dict) else value
        path.write_text(json.dumps(content))
        self.chain(path.parent)

    def chain(self, folder: Path) -> None:
        """Lets each later record of a seed name the one before as it is now."""
        for before, after in (("train", "sample"), ("sample", "evaluate")):
            source, path = folder / f"{before}.json", folder / f"{after}.json"
            if source.exists() and path.exists():
                content = json.loads(path.read_text())
                content["inputs"][source.name] = file_sha256(source)
                path.write_text(json.dumps(content))

    def write(self) -> "Synthetic":
        entries = [
            {"config": str(EXPERIMENTS / f"{name}.yaml"), "seeds": list(seeds)}
            for name, seeds in self.seeds.items()
        ]
        suite = {"name": "synthetic", "title": "Synthetic suite", "experiments": entries}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(suite))
        for name, _, experiment, seeds in suite_experiments(self.config):
            self._write_data(name, experiment)
            self._write_baselines(name, experiment)
            for seed in seeds:
                self._write_seed(name, experiment, seed)
        return self

    def write_sample_metrics(self, name: str, copied: tuple[float, ...]) -> None:
        """Writes what `ganbench sample-metrics` says of memory: the copied share of each seed."""
        experiment = {one: settings for one, _, settings, _ in suite_experiments(self.config)}[name]
        shares = [(value, {"source": "model", "seed": seed}) for seed, value in enumerate(copied)]
        metrics = [
            Metric(
                name="copied_share",
                value=value,
                unit="1",
                standard_error=0.02,
                n=10_000,
                labels=labels,
            )
            for value, labels in [*shares, (0.05, {"source": "held_out_images"})]
        ]
        gap = {"name": "parzen_gap", "value": 1.0, "unit": "nats", "n": 20_000}
        metrics.append(Metric(**gap, labels={"source": "held_out_images"}))
        record = _record("sample_metrics", name, experiment, None, "ok", metrics)
        record.write(self.results / name / "sample_metrics.json")

    def _status(self, name: str, seed: int | None = None) -> str:
        if name in self.unavailable:
            return "data_not_available"
        return self.statuses.get((name, seed), "ok")

    def _write_data(self, name: str, experiment: Experiment) -> None:
        record = _record("fetch", experiment.dataset, experiment, None, self._status(name))
        record.write(self.results / "data" / f"{experiment.dataset}.json")

    def _write_baselines(self, name: str, experiment: Experiment) -> None:
        status = self._status(name)
        metrics = _baselines(experiment) if status == "ok" else []
        record = _record("baselines", name, experiment, None, status, metrics)
        record.write(self.results / name / "baselines.json")

    def _write_seed(self, name: str, experiment: Experiment, seed: int) -> None:
        status = self._status(name, seed)
        folder = self.results / name / f"seed_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for stage, metrics in self._metrics(name, experiment, seed).items():
            kept = status == "ok" or (status == "diverged" and stage == "train")
            files = _companions(stage, experiment, folder, seed) if kept else []
            record = _record(
                stage, name, experiment, seed, status, metrics if status == "ok" else [], files
            )
            record.write(folder / f"{stage}.json")
        self.chain(folder)

    def _metrics(self, name: str, experiment: Experiment, seed: int) -> dict[str, list[Metric]]:
        score = self.scores.get((name, seed), 200.0 + seed)
        epochs = experiment.epochs
        best = epochs - 1 - seed
        earlier = {f"epoch_{epoch}": epoch for epoch in experiment.evaluation.report_epochs}
        return {
            "train": [
                Metric(name="epochs", value=epochs, unit="epochs"),
                Metric(name="updates", value=epochs * 500, unit="updates"),
                Metric(name="seconds_per_update", value=0.05 + 0.01 * seed, unit="s"),
                *(
                    Metric(
                        name="validation_log_likelihood",
                        value=score,
                        unit="nats",
                        labels={"checkpoint": checkpoint, "epoch": epoch},
                    )
                    for checkpoint, epoch in {
                        "last": epochs,
                        "best_validation": best,
                        **earlier,
                    }.items()
                ),
            ],
            "sample": [],
            "evaluate": [
                *_scores(experiment, score, "last"),
                *_redrawn(score, "last", experiment.evaluation.draws),
                *(_by_samples("last", 100_000) if experiment.evaluation.draws > 1 else []),
                *_scores(experiment, score + 3, "best_validation"),
                *(one for state in earlier for one in _scores(experiment, score - 20, state)),
                *(
                    one
                    for number, state in enumerate(_ways(experiment))
                    for one in _scores(experiment, score - 10 * number, state)
                ),
                *_under_protocols(experiment, score),
            ],
        }


def _record(
    stage: str,
    name: str,
    experiment: Experiment,
    seed: int | None,
    status: str,
    metrics: list[Metric] | None = None,
    files: list[Path] | None = None,
) -> Record:
    settings, digest = experiment.model_dump(mode="json"), experiment.digest
    if stage == "fetch":
        settings = {"dataset": name}
        digest = settings_digest(settings)
    return Record(
        stage=stage,
        status=status,
        message="" if status == "ok" else f"{name}: {status}; see the log",
        suite="synthetic",
        experiment=name,
        seed=seed,
        config=settings,
        config_digest=digest,
        files={file.name: file_sha256(file) for file in files or []},
        datasets={"train": "a" * 64, "test": "b" * 64} if status == "ok" else {},
        metrics=metrics or [],
        provenance=Provenance(
            code_digest=f"{stage}-code",
            numerics=1,
            git_commit=COMMIT,
            git_dirty=False,
            versions={"python": "3.11.2", "torch": "2.13.0", "numpy": "2.4.6"},
            device="Synthetic CPU",
            threads=1,
            impl="reference",
            precision="float32",
            started_at="2025-01-01T00:00:00Z",
            wall_time_s=2.5,
        ),
    )


def _ways(experiment: Experiment) -> tuple[str, ...]:
    """States that are further ways to sample."""
    return experiment.states[len(experiment.evaluation.states) :]


def _under_protocols(experiment: Experiment, score: float) -> list[Metric]:
    return [
        Metric(
            name="log_likelihood_under_protocol",
            value=score + 5 * (number + 1),
            unit="nats",
            standard_error=2.0,
            n=10000,
            labels={"checkpoint": "last", "protocol": name},
        )
        for number, name in enumerate(experiment.evaluation.further_protocols)
    ]


def _baselines(experiment: Experiment) -> list[Metric]:
    small = "gan2014_1000_centers"
    return [
        *_scores(experiment, 240.0, "training_images"),
        *_redrawn(241.0, "training_images", 2),
        *_by_samples("training_images", 50_000),
        *_scores(experiment, 280.0, "kmeans_1000", small, 1000),
        *_scores(experiment, 320.0, "kmeans_10000"),
        *_scores(experiment, 120.0, "gaussian"),
        *_scores(experiment, -560.0, "uniform_noise"),
    ]


def _redrawn(value: float, checkpoint: str, draws: int) -> list[Metric]:
    return [
        Metric(
            name="redrawn_log_likelihood",
            value=value + 0.5 * (-1) ** draw,
            unit="nats",
            standard_error=2.0,
            n=10000,
            labels={"checkpoint": checkpoint, "protocol": "gan2014", "draw": draw},
        )
        for draw in range(1, draws)
    ]


def _by_samples(checkpoint: str, most: int) -> list[Metric]:
    return [
        Metric(
            name="log_likelihood_by_samples",
            value=100 + 15 * float(np.log10(size)),
            unit="nats",
            standard_error=2.0,
            n=10000,
            labels={"checkpoint": checkpoint, "n_centers": size, "sigma": 0.17},
        )
        for size in (100, 1000, 10_000, most)
    ]


def _scores(
    experiment: Experiment,
    value: float,
    checkpoint: str,
    protocol: str = "gan2014",
    centers: int = 10000,
) -> list[Metric]:
    folded = DATASETS[experiment.dataset].folds > 1
    labels = {
        "checkpoint": checkpoint,
        "split": "test",
        "protocol": protocol,
        "n_centers": centers,
    }
    if not folded:
        labels |= {"sigma": float(SIGMAS[2]), "sigma_at_grid_edge": 0}
    score = Metric(
        name="log_likelihood",
        value=value,
        unit="nats",
        standard_error=26.0 if folded else 2.0,
        n=5 if folded else 10000,
        labels=labels,
    )
    folds = range(5) if folded else range(1)
    grid = [
        Metric(
            name="validation_log_likelihood",
            value=value - 400 * (np.log(sigma) - np.log(SIGMAS[2 + fold % 2])) ** 2,
            unit="nats",
            n=1000,
            labels={
                "checkpoint": checkpoint,
                "protocol": protocol,
                "n_centers": centers,
                "sigma": float(sigma),
            }
            | ({"fold": fold} if folded else {}),
        )
        for fold in folds
        for sigma in SIGMAS
    ]
    per_fold = [
        Metric(
            name="fold_log_likelihood",
            value=value + fold - 2,
            unit="nats",
            labels={
                "checkpoint": checkpoint,
                "fold": fold,
                "sigma": float(SIGMAS[2 + fold % 2]),
                "sigma_at_grid_edge": 0,
            },
        )
        for fold in folds
        if folded
    ]
    uncertainty = [
        Metric(name="grid_penalty", value=3.25, unit="nats", n=1000, labels=labels),
        Metric(name="bandwidth_error", value=0.75, unit="nats", n=1000, labels=labels),
    ]
    return [score, *per_fold, *uncertainty, *grid]


def _companions(stage: str, experiment: Experiment, folder: Path, seed: int) -> list[Path]:
    if stage == "train":
        file = folder / "history.csv"
        file.write_text(_history(experiment, seed))
        return [file]
    if stage == "sample":
        file = folder / "figures_last.npz"
        np.savez(file, **_images(experiment, seed))
        return [file]
    return []


def _history(experiment: Experiment, seed: int) -> str:
    columns = (
        "epoch,phase,updates,learning_rate,momentum,discriminator_loss,generator_loss,d_real,"
        "d_fake,discriminator_gradient_norm,generator_gradient_norm,validation_log_likelihood,sigma"
    )
    if experiment.method != "adversarial":
        columns = "epoch,phase,updates,learning_rate,momentum,cross_entropy,"
        columns += "validation_log_likelihood,sigma,collapse_share"
    rng = np.random.default_rng(seed)
    lines = [columns]
    total, every = experiment.epochs, experiment.evaluation.monitor_every
    first = experiment.phase_epochs[0]
    for epoch in range(1, total + 1):
        noise = rng.normal(scale=0.02)
        monitored = epoch % every == 0 or epoch == total
        score = f"{200 * (1 - np.exp(-epoch / 20)) + seed:.4f}" if monitored else ""
        cells = (
            epoch,
            1 if epoch <= first else 2,
            500 * epoch,
            0.1,
            0.5,
            0.5 + noise,
            1.2 - noise,
            0.7 + noise,
            0.3 - noise,
            0.1 * np.exp(noise),
            0.02 * np.exp(-noise),
            score,
            0.167 if monitored else "",
        )
        if experiment.method != "adversarial":
            cells = (*cells[:5], 200 - epoch, score, 0.167 if monitored else "", 0.01)
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def _images(experiment: Experiment, seed: int) -> dict[str, np.ndarray]:
    channels, height, width = DATASETS[experiment.dataset].shape
    rng = np.random.default_rng(seed)
    signed = experiment.preprocessing == "global_contrast"

    def draw(*leading: int) -> np.ndarray:
        images = rng.random((*leading, channels, height, width), dtype=np.float32)
        return images * 8 - 4 if signed else images

    pictures = {"samples": draw(20), "neighbours": draw(4)}
    # A method of another paper may have no noise vectors between which lines could run.
    return pictures | ({"interpolation": draw(4, 9)} if experiment.method == "adversarial" else {})
