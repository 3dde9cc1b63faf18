"""Verbs that read records, and `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from ganbench.cli.options import (
    Config,
    DataDir,
    Device,
    DeviceOption,
    DryRun,
    Out,
    shipped,
)
from ganbench.errors import printable
from ganbench.provenance import PDF, REPORT, check_out

app = typer.Typer()


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


@app.command()
def doctor(
    suite: Annotated[Path, typer.Option(callback=shipped, help="The suite file to plan.")] = Path(
        "configs/suites/paper.yaml"
    ),
    data_dir: DataDir = None,
    device: DeviceOption = Device.auto,
) -> None:
    """Say what is installed, what data is there, and how long a suite would take."""
    from ganbench.doctor import doctor as run

    run(suite, data_dir, device.value)
