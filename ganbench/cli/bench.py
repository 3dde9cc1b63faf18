"""`ganbench bench`: speed."""

from pathlib import Path
from typing import Annotated

import typer

from ganbench.cli.options import (
    DataDir,
    known_dataset,
)
from ganbench.provenance import check_out

bench = typer.Typer(help="Measure speed.", no_args_is_help=True)


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
    known_dataset("--dataset", dataset)
    from ganbench.bench.estimators import main as run
    from ganbench.report.page import write_page

    run(out, samples, dataset, points, data_dir)
    write_page(out / "estimators.html", out / "estimators.md", "Estimators of one likelihood")
