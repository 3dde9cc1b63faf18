"""The command line: verbs of `ganbench.cli`, and what a mistake looks like."""

import os
import shlex
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from ganbench.cli import bench, results, stages
from ganbench.errors import GanbenchError, printable

# What typer raises for unknown options, missing ones and values of another type.
USAGE: Any = typer.BadParameter.__bases__[0]
BUG = 70  # exit code of what nobody foresaw, as sysexits.h has it

app = typer.Typer(
    help="The reproducible benchmark of 'Generative Adversarial Nets' (Goodfellow et al. 2014).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(stages.app)
app.add_typer(results.app)
app.add_typer(bench.bench, name="bench")


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


def main() -> None:
    """Runs the command line; a mistake is one line and its exit code (docs/security.md)."""
    # Figures only go to files: a window system's backend, or an unknown one, would be in the way.
    os.environ["MPLBACKEND"] = "Agg"
    for stream in (sys.stdout, sys.stderr):
        # A locale without UTF-8 has no sign for much that is printed.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(standalone_mode=False) or 0)
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
