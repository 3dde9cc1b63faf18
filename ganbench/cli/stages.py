"""Verbs that make records: one a stage. Heavy imports wait until a verb needs them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ganbench.cli.options import (
    Config,
    DataDir,
    Device,
    DeviceOption,
    DryRun,
    Impl,
    ImplOption,
    InWorkflow,
    Like,
    Out,
    Seeds,
    SuiteName,
    jobs_of,
    known_dataset,
    seconds_between,
    seeds_of,
    shipped,
)
from ganbench.errors import GanbenchError
from ganbench.provenance import ARRAYS, check_out

app = typer.Typer()


@app.command()
def fetch(
    dataset: Annotated[
        str | None, typer.Argument(help="A data set's name, instead of --config and --out.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(callback=shipped, help="The experiment file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The record to write.")] = None,
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    in_workflow: InWorkflow = False,
    dry_run: DryRun = False,
) -> None:
    """Download what is missing of a data set; of an experiment, record its splits too."""
    from ganbench.data.fetch import data_directory

    directory = data_directory(data_dir)
    if dataset is not None and config is None and out is None:
        _fetch_dataset(dataset, directory, dry_run)
        return
    if dataset is not None or config is None or out is None:
        raise GanbenchError(
            "fetch: give a data set's name, as in 'ganbench fetch mnist', or both --config and "
            "--out"
        )
    from ganbench.stages.fetch import fetch_record

    check_out(out, config)
    if dry_run:
        typer.echo(f"would fetch the data of {config} into {directory} and write {out}")
        return
    fetch_record(config, out, suite, directory, in_workflow)


def _fetch_dataset(name: str, directory: Path, dry_run: bool) -> None:
    from ganbench.catalogue import DATASETS
    from ganbench.data.fetch import fetch as run

    known_dataset("fetch", name)
    if dry_run:
        typer.echo(f"would fetch {name} into {directory}")
        return
    run(name, directory, progress=sys.stderr.isatty())
    where = f"complete in {directory}" if DATASETS[name].files else "ships inside a package"
    typer.echo(f"{name}: {where}")


@app.command()
def train(
    config: Config,
    out: Out,
    seeds: Seeds = "0",
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
    impl: ImplOption = Impl.auto,
    in_workflow: InWorkflow = False,
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            envvar="GANBENCH_CHECKPOINT_SECONDS",
            callback=seconds_between,
            help="Shortest time between two checkpoints.",
        ),
    ] = 60.0,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="GANBENCH_CHECKPOINT_DIR",
            help="Where checkpoints go, as a disk that outlives the machine; else beside --out.",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete the checkpoints first.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Train one generator a seed, all together, each from its newest checkpoint."""
    from ganbench.data.fetch import data_directory
    from ganbench.stages.train import train as run

    jobs = list(jobs_of("train", config, out, seeds, suite, device, impl, dry_run))
    if jobs:
        run(
            jobs,
            data_directory(data_dir),
            checkpoint_seconds,
            in_workflow,
            restart,
            checkpoint_dir,
        )


@app.command()
def sample(
    config: Config,
    out: Out,
    seeds: Seeds = "0",
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
    impl: ImplOption = Impl.auto,
    dry_run: DryRun = False,
) -> None:
    """Draw 10,000 samples of each reported state, from the train.json beside --out."""
    from ganbench.data.fetch import data_directory
    from ganbench.stages.sample import sample as run

    for job in jobs_of("sample", config, out, seeds, suite, device, impl, dry_run):
        run(job, job.out.with_name("train.json"), data_directory(data_dir))


@app.command()
def evaluate(
    config: Config,
    out: Out,
    seeds: Seeds = "0",
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
    impl: ImplOption = Impl.auto,
    dry_run: DryRun = False,
) -> None:
    """Measure samples by their Parzen log-likelihood, from the sample.json beside --out."""
    from ganbench.data.fetch import data_directory

    directory = data_directory(data_dir)
    from ganbench.stages.evaluate import evaluate as run

    for job in jobs_of("evaluate", config, out, seeds, suite, device, impl, dry_run):
        run(job, job.out.with_name("sample.json"), directory)


@app.command()
def baselines(
    config: Config,
    out: Out,
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
    impl: ImplOption = Impl.auto,
    like: Like = None,
    in_workflow: InWorkflow = False,
    dry_run: DryRun = False,
) -> None:
    """Measure the log-likelihood of training images, k-means centres, a Gaussian and noise."""
    from ganbench.data.fetch import data_directory
    from ganbench.stages.baselines import measure_baselines

    for job in jobs_of("baselines", config, out, None, suite, device, impl, dry_run, like):
        measure_baselines(job, data_directory(data_dir), in_workflow, like)


@app.command("sample-metrics")
def sample_metrics(
    config: Config,
    out: Out,
    seeds: Seeds = "0",
    suite: SuiteName = "by_hand",
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
    like: Like = None,
    in_workflow: InWorkflow = False,
    dry_run: DryRun = False,
) -> None:
    """Measure memorisation, coverage and two-sample tests of the samples beside --out."""
    from ganbench.data.fetch import data_directory
    from ganbench.stages.sample_metrics import measure_samples

    jobs = jobs_of("sample_metrics", config, out, None, suite, device, Impl.auto, dry_run, like)
    for job in jobs:
        measure_samples(job, seeds_of(seeds), data_directory(data_dir), in_workflow, like)


@app.command()
def score(
    file: Annotated[
        Path | None, typer.Argument(help="Anybody's samples: .npy, .npz, .pt or a folder of .png.")
    ] = None,
    samples: Annotated[Path | None, typer.Option(help="The same, as an option.")] = None,
    vs: Annotated[Path | None, typer.Option(help="Other samples to compare with.")] = None,
    out: Annotated[Path | None, typer.Option(help="The record to write.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Their data set; else by the shape of the samples.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Of the likelihood of the samples.")] = "gan2014",
    allow_copies: Annotated[
        bool, typer.Option("--allow-copies", help="Measure images of the data set too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record instead of a table.")
    ] = False,
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
) -> None:
    """Measure your own samples: likelihood and sample metrics, beside baselines."""
    path = file or samples
    if path is None or (file and samples):
        raise GanbenchError("score: give one file of samples, as in 'ganbench score samples.npy'")
    if out is not None:
        check_out(out, path, vs)
    from ganbench import api
    from ganbench.report.sample_metrics.terminal import comparison_text, score_text

    def scored(one: Path, name: str | None) -> api.ScoreResult:
        return api.score(
            one,
            name,
            protocol=protocol,
            data_dir=data_dir,
            device=device.value,
            allow_copies=allow_copies,
        )

    result = scored(path, dataset)
    if out is not None:
        result.write(out)
    if vs is None:
        if as_json:
            print(result.record.model_dump_json(indent=2))
        else:
            print(score_text(result.record), end="")
        return
    other = scored(vs, result.record.experiment)
    if as_json:
        print(result.compare(other).to_json(orient="records", indent=2))
    else:
        print(comparison_text(result.record, other.record, (path.name, vs.name)), end="")


@app.command()
def theory(
    config: Config,
    out: Out,
    seeds: Seeds = "0",
    suite: SuiteName = "by_hand",
    device: DeviceOption = Device.auto,
    dry_run: DryRun = False,
) -> None:
    """Check statements of the paper's theory; all seeds share one record."""
    numbers = seeds_of(seeds)
    check_out(out, config)
    arrays = out.with_suffix(".npz")
    check_out(arrays, out, config, ours=ARRAYS if out.exists() else None)
    if dry_run:
        typer.echo(f"would run {config} with seeds {numbers} and write {out}")
        return
    from ganbench.stages.context import resolve_device
    from ganbench.theory.run import run

    run(config, out, suite, resolve_device(device.value), numbers)


@app.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(help="Results of the suite from other machines: results/SUITE.")
    ],
    config: Config,
    into: Annotated[Path, typer.Option(help="The suite's results folder, which grows.")],
) -> None:
    """Add seeds that other machines made to a suite's results, after checking them."""
    check_out(into, folder=True)
    from ganbench.stages.merge import merge as run

    for line in run(config, folders, into):
        print(line)
