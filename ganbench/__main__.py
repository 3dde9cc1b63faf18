"""The command line: one verb per stage. Heavy imports wait until a verb needs them."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganbench.errors import GanbenchError, printable
from ganbench.inputs import shipped_path, shown
from ganbench.provenance import ARRAYS, PDF, REPORT, check_out

if TYPE_CHECKING:
    from ganbench.records import Stage
    from ganbench.stages.context import Job

# What typer raises for unknown options, missing ones and values of another type.
USAGE: Any = typer.BadParameter.__bases__[0]
BUG = 70  # exit code of what nobody foresaw, as sysexits.h has it

app = typer.Typer(
    help="The reproducible benchmark of 'Generative Adversarial Nets' (Goodfellow et al. 2014).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ganbench import __version__

        typer.echo(f"ganbench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version, and stop."
        ),
    ] = False,
) -> None:
    """The reproducible benchmark of 'Generative Adversarial Nets' (Goodfellow et al. 2014)."""


bench = typer.Typer(help="Measure speed.", no_args_is_help=True)
app.add_typer(bench, name="bench")


def _suite_name(name: str) -> str:
    """A suite is a folder of results: no path, and nothing that a terminal or page would obey."""
    if not re.fullmatch(r"[a-z0-9_]{1,100}", name):
        raise GanbenchError(
            f"--suite (or GANBENCH_SUITE): got {shown(name)}; give a suite's name: a-z, 0-9 and _"
        )
    return name


def _seconds(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise GanbenchError(
            f"--checkpoint-seconds (or GANBENCH_CHECKPOINT_SECONDS): got {value}; give seconds "
            "from 0 on, as in 60"
        )
    return value


def _shipped(path: Path | None) -> Path | None:
    """An installed copy has the shipped files wherever it is called."""
    return None if path is None else shipped_path(path)


class Device(StrEnum):
    """Where torch computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Impl(StrEnum):
    """Which kernels run."""

    auto = "auto"
    reference = "reference"
    triton = "triton"


Config = Annotated[
    Path,
    typer.Option(callback=_shipped, help="The experiment file (for report: the suite file)."),
]
Out = Annotated[
    Path, typer.Option(help="The record to write; with several seeds '{seed}' stands for each.")
]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
SuiteName = Annotated[
    str,
    typer.Option(
        envvar="GANBENCH_SUITE",
        callback=_suite_name,
        help="The suite that the record belongs to.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Data directory; else $GANBENCH_DATA, else the user's cache.")
]
DeviceOption = Annotated[
    Device, typer.Option(envvar="GANBENCH_DEVICE", help="Where torch computes.")
]
ImplOption = Annotated[Impl, typer.Option(help="Which kernels run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
Like = Annotated[
    Path | None,
    typer.Option(
        help="Copy the baselines from this record of another experiment with the same data, "
        "protocol and draws."
    ),
]
InWorkflow = Annotated[
    bool,
    typer.Option(
        "--in-workflow",
        help="Record missing data or divergence and end with 0, so that the record is kept.",
    ),
]


@app.command()
def fetch(
    dataset: Annotated[
        str | None, typer.Argument(help="A data set's name, instead of --config and --out.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(callback=_shipped, help="The experiment file.")
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

    _known_dataset("fetch", name)
    if dry_run:
        typer.echo(f"would fetch {name} into {directory}")
        return
    run(name, directory, progress=sys.stderr.isatty())
    where = f"complete in {directory}" if DATASETS[name].files else "ships inside a package"
    typer.echo(f"{name}: {where}")


def _known_dataset(where: str, name: str) -> None:
    from ganbench.catalogue import DATASETS

    if name not in DATASETS:
        known = ", ".join(sorted(DATASETS))
        raise GanbenchError(f"{where}: got {shown(name)}; give one of {known}")


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
            callback=_seconds,
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

    jobs = list(_jobs("train", config, out, seeds, suite, device, impl, dry_run))
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

    for job in _jobs("sample", config, out, seeds, suite, device, impl, dry_run):
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

    for job in _jobs("evaluate", config, out, seeds, suite, device, impl, dry_run):
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

    for job in _jobs("baselines", config, out, None, suite, device, impl, dry_run, like):
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

    jobs = _jobs("sample_metrics", config, out, None, suite, device, Impl.auto, dry_run, like)
    for job in jobs:
        measure_samples(job, _seeds(seeds), data_directory(data_dir), in_workflow, like)


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
    numbers = _seeds(seeds)
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
def report(config: Config, out: Out, dry_run: DryRun = False) -> None:
    """Write tables and figures of a suite from its records."""
    from ganbench.report.build import build

    check_out(out, config, ours=REPORT)
    results = out.parent.parent
    if dry_run:
        typer.echo(f"would report the records below {results} beside {out}")
        return
    build(config, results, out)


@app.command()
def paper(
    report: Annotated[Path, typer.Option(help="The report.json that `ganbench report` wrote.")],
    out: Annotated[Path, typer.Option(help="The PDF to write.")],
) -> None:
    """Typeset the paper of a report."""
    check_out(out, report, ours=PDF)
    from ganbench.report.paper import build_paper

    build_paper(report, out)


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


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(help="Results of a suite, or of several.")],
) -> None:
    """Check every digest, identity and range of recorded results; a line for each finding."""
    from ganbench.errors import DataError
    from ganbench.verify import verify as run

    verified = run(results)
    for line in verified.findings:
        print(printable(line))
    print(verified.summary)
    if verified.findings:
        raise DataError(f"{results}: {len(verified.findings)} findings, named above")


@app.command()
def status(
    results: Annotated[Path, typer.Argument(help="Results of a suite: results/SUITE.")],
    suite: Annotated[
        Path | None, typer.Option(help="Its suite file; else configs/suites/SUITE.yaml.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until all jobs are done or you stop it.")
    ] = False,
) -> None:
    """Show where every job of a suite stands: epoch, likelihood so far, minutes left."""
    from ganbench.status import status as run

    run(results, suite, watch)


@app.command()
def show(report: Annotated[Path, typer.Argument(help="A report.json.")]) -> None:
    """Print the table of a report."""
    from ganbench.report.table1.table import print_table

    print_table(report)


@bench.command("aot")
def bench_aot(
    write: Annotated[
        bool, typer.Option("--write", help="Make the result the committed budget.")
    ] = False,
) -> None:
    """Compile every Triton kernel without a GPU; print registers, spills, shared memory."""
    from ganbench.bench.aot import main as run

    run(write)


@bench.command("tune")
def bench_tune() -> None:
    """Rewrite the kernels' settings for the GPU at hand."""
    from ganbench.bench.tune import main as run

    run()


@bench.command("run")
def bench_run(
    out: Annotated[Path, typer.Option(help="Folder for the rows, the table and the figure.")],
) -> None:
    """Time the kernels against their rivals on the GPU at hand."""
    check_out(out, folder=True)
    from ganbench.bench.kernels import main as run

    run(out)


@bench.command("gpu-updates")
def bench_gpu_updates(
    out: Annotated[Path, typer.Option(help="Folder for the rows, written as they come.")],
) -> None:
    """Time a training update of every network on the GPU at hand, beside plain torch."""
    check_out(out, folder=True)
    from ganbench.bench.gpu_updates import main as run

    run(out)


@bench.command("compare")
def bench_compare(
    base: Annotated[str, typer.Option(help="The git revision to compare this tree with.")],
    pairs: Annotated[int, typer.Option(min=3, help="Runs of each tree.")] = 7,
    select: Annotated[str, typer.Option("-k", help="Only benchmarks whose name holds this.")] = "",
    command: Annotated[
        str,
        typer.Option(
            help="Another project's benchmarks, run in the repository at hand: a command that "
            "prints a JSON object, the seconds of each benchmark by name."
        ),
    ] = "",
) -> None:
    """Fail when this tree is slower than another revision: both run in turn, on one thread."""
    if command:
        from ganbench.bench.commands import main as run_command

        run_command(base, pairs, command, Path.cwd())
        return
    from ganbench.bench.compare import main as run

    run(base, pairs, select)


@bench.command("table")
def bench_table(
    benchmarks: Annotated[Path, typer.Argument(help="What pytest --benchmark-json wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the table and the figure.")],
) -> None:
    """Write the benchmarks' table (csv, md, html, tex) and figure."""
    check_out(out, folder=True)
    from ganbench.report.bench import build

    build(benchmarks, out)


@bench.command("estimators")
def bench_estimators(
    out: Annotated[Path, typer.Option(help="Folder for the rows and the table.")],
    samples: Annotated[
        Path | None, typer.Option(help="The centres, as in `ganbench score`; else training images.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Gives the test images.")] = "mnist",
    points: Annotated[int, typer.Option(min=1, help="Test images that are scored.")] = 500,
    data_dir: DataDir = None,
) -> None:
    """Compare estimators of the same log-likelihood: error, seconds, memory."""
    check_out(out, folder=True)
    _known_dataset("--dataset", dataset)
    from ganbench.bench.estimators import main as run
    from ganbench.report.page import write_page

    run(out, samples, dataset, points, data_dir)
    write_page(out / "estimators.html", out / "estimators.md", "Estimators of one likelihood")


@app.command()
def doctor(
    suite: Annotated[Path, typer.Option(callback=_shipped, help="The suite file to plan.")] = Path(
        "configs/suites/paper.yaml"
    ),
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
) -> None:
    """Say what is installed, what data is there, and how long a suite would take."""
    from ganbench.doctor import doctor as run

    run(suite, data_dir, device.value)


def _jobs(
    stage: "Stage",
    config: Path,
    out: Path,
    seeds: str | None,
    suite: str,
    device: Device,
    impl: Impl,
    dry_run: bool,
    like: Path | None = None,
) -> "Iterator[Job]":
    """One job a seed, only those whose record is missing; none on a dry run."""
    numbers = [None] if seeds is None else _seeds(seeds)
    if len(numbers) > 1 and "{seed}" not in str(out):
        raise GanbenchError(f"--out: got {out} for several seeds; put '{{seed}}' into the path")
    targets = {number: Path(str(out).replace("{seed}", str(number))) for number in numbers}
    for path in targets.values():
        check_out(path, config, like)
    wanted = {number: path for number, path in targets.items() if not path.exists()}
    for number, path in targets.items():
        if number not in wanted:
            typer.echo(f"{path}: exists; delete it to run again")
    if dry_run:
        from ganbench.config import load_experiment

        load_experiment(config)
        for number, path in wanted.items():
            typer.echo(f"would {stage} {config} seed {number} and write {path}")
        return
    from ganbench.stages.context import Job

    # One after the other: a job's time starts when it is made.
    for number, path in wanted.items():
        yield Job(stage, config, path, suite, number, device.value, impl.value)


def _seeds(text: str) -> list[int]:
    # Digits of 0 to 9 alone: int() takes other scripts' digits and 1_0 too.
    fits = re.fullmatch(r"(0|[1-9][0-9]{0,17})(, *(0|[1-9][0-9]{0,17}))*", text)
    numbers = [int(part) for part in text.split(",")] if fits else []
    if not fits or len(set(numbers)) < len(numbers):
        raise GanbenchError(
            f"--seeds: got {shown(text)}; give different whole numbers from 0 on, as in 0,1,2"
        )
    return numbers


def main() -> None:
    """Runs the command line; a mistake is one line and its exit code (docs/security.md)."""
    # Figures only go to files: a window system's backend, or an unknown one, would be in the way.
    os.environ["MPLBACKEND"] = "Agg"
    for stream in (sys.stdout, sys.stderr):
        # A locale without UTF-8 has no sign for much that is printed.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(standalone_mode=False))
    except USAGE as error:
        print(_usage(error), file=sys.stderr)
        sys.exit(2)
    except GanbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    # The one net below everything: what nobody foresaw is told in a line too, and kept whole.
    except Exception as error:  # noqa: BLE001
        print(_unforeseen(error), file=sys.stderr)
        sys.exit(BUG)


def _usage(error: typer.BadParameter) -> str:
    """A mistake in the arguments as one line; without any, what there is to choose from."""
    command = error.ctx.command_path if error.ctx else "ganbench"
    text = error.format_message().rstrip(".")
    # Called without a verb the message is the help.
    if "\n" in text:
        return text
    return str(GanbenchError(f"{command}: {text}; see {command} --help"))


def _unforeseen(error: Exception) -> str:
    """Writes the traceback to a file and returns a line that names it."""
    import tempfile
    import traceback

    from ganbench.inputs import reason

    what = f"ganbench: {type(error).__name__}: {reason(error)}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="ganbench_", suffix=".log", text=True)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{printable(shlex.join(sys.argv))}\n\n")
            file.write("".join(traceback.format_exception(error)))
    except OSError as problem:
        return f"{what}; a bug, and no log could be written ({reason(problem)}): please report it"
    return f"{what}; a bug: please report it with {printable(name)}"


if __name__ == "__main__":
    main()
