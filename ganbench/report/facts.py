"""What the paper says beside the table: recipes, runs and where the numbers come from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined, Template

from ganbench.config import Adversarial, Discriminator, Experiment, Generator
from ganbench.inputs import read_text
from ganbench.records import Provenance
from ganbench.report.collect import ExperimentResults, Stored
from ganbench.report.outputs import FIGURES, TABLES
from ganbench.report.table1.rows import seeds_status

RULE = SimpleNamespace(rule="report")


def captions() -> dict[str, str]:
    """Returns the captions of tables and figures, filled in as Snakemake's report does."""
    folder = Path(__file__).parent / "captions"
    texts = {
        name: read_text(folder / f"{name}.rst", "install again") for name in (*TABLES, *FIGURES)
    }
    return {
        name: " ".join(Template(text, undefined=StrictUndefined).render(snakemake=RULE).split())
        for name, text in texts.items()
    }


def experiment_facts(results: ExperimentResults) -> dict[str, Any]:
    """Returns what identifies an experiment, how it was run and what stands behind its numbers."""
    experiment = results.experiment
    return {
        "name": results.name,
        "title": experiment.title,
        "note": experiment.note,
        "dataset": experiment.dataset,
        "paper_column": experiment.paper_column,
        "paper_figure": experiment.figure,
        "status": seeds_status(results),
        "seeds": list(results.seeds),
        "seeds_finished": results.seeds_with("ok"),
        "seeds_diverged": results.seeds_with("diverged"),
        "shown_seed": results.shown_seed,
        "shown_checkpoint": experiment.evaluation.checkpoints[0],
        "commit": commits(stored.record.provenance for stored in results.stored),
        "recipe": _recipe(experiment),
        "runs": _runs(results),
        "protocol": _protocol(results),
        "datasets": results.fetch.record.datasets,
    }


def _recipe(experiment: Experiment) -> dict[str, Any]:
    shared = {
        "method": experiment.method,
        "epochs": list(experiment.phase_epochs),
        "preprocessing": experiment.preprocessing,
    }
    if not isinstance(experiment, Adversarial):
        return shared | {"settings": experiment.model_dump(mode="json")["recipe"]}
    training = experiment.training
    return shared | {
        "noise": experiment.generator.noise,
        "noise_dim": experiment.generator.noise_dim,
        "generator": _network(experiment.generator),
        "discriminator": _network(experiment.discriminator),
        "update": training.update,
        "objective": training.objective,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "momentum": [training.momentum_initial, training.momentum_final],
        "max_column_norm": training.max_column_norm,
    }


def _network(network: Generator | Discriminator) -> str:
    return ", ".join(layer.words for layer in network.layers)


def _runs(results: ExperimentResults) -> dict[str, float]:
    """Means over the seeds that finished of what `train` measured about itself."""
    finished = [results.stages["train"][seed] for seed in results.seeds_with("ok")]
    if not finished:
        return {}
    names = ("updates", "seconds_per_update")
    return {name: fmean(stored.metric(name).value for stored in finished) for name in names}


def _protocol(results: ExperimentResults) -> dict[str, Any]:
    """How the shown seed was scored: numbers of centres and validation images, bandwidth grid."""
    if results.shown_seed is None:
        return {}
    evaluate = results.stages["evaluate"][results.shown_seed]
    checkpoint = results.experiment.evaluation.checkpoints[0]
    grid = evaluate.metrics("validation_log_likelihood", checkpoint=checkpoint)
    return {
        "name": grid[0].labels["protocol"],
        "n_centers": grid[0].labels["n_centers"],
        "n_validation": grid[0].n,
        "sigmas": sorted({metric.labels["sigma"] for metric in grid}),
    }


def provenance(experiments: Sequence[ExperimentResults]) -> dict[str, Any]:
    """Returns commits, versions, machines, counts and seconds of all records of a suite."""
    # Experiments on the same data share its record.
    stored = {one.path: one for results in experiments for one in results.stored}.values()
    made = [one.record.provenance for one in stored]
    # Fetching multiplies no matrices.
    computed = [one.record.provenance for one in stored if one.record.stage != "fetch"]
    # A training that went on elsewhere was computed in several environments.
    parts = [part for one in made for part in (one.environments or [one])]
    return {
        "commit": commits(made),
        "versions": _distinct(
            ", ".join(f"{name} {version}" for name, version in sorted(part.versions.items()))
            for part in parts
        ),
        "devices": _distinct(part.device for part in parts),
        "threads": _distinct(one.threads for one in computed),
        "impl": _distinct(one.impl for one in computed),
        "precision": _distinct(one.precision for one in computed),
        "records": len(made),
        "seeds_finished": sum(len(results.seeds_with("ok")) for results in experiments),
        "seeds_diverged": sum(len(results.seeds_with("diverged")) for results in experiments),
        "wall_time_s": _wall_times(stored),
    }


def _wall_times(stored: Iterable[Stored]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for one in stored:
        stage = one.record.stage
        totals[stage] = totals.get(stage, 0.0) + one.record.provenance.wall_time_s
    return totals


def commits(provenances: Iterable[Provenance]) -> str:
    """Returns the short commits behind some records, marking changed source trees."""
    names = _distinct(
        (one.git_commit[:10] or "no commit") + (" with changes" if one.git_dirty else "")
        for one in provenances
    )
    return ", ".join(names)


def _distinct(values: Iterable[Any]) -> list[Any]:
    return sorted(set(values))
