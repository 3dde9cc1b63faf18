"""The paper of a suite: typst source, report.json and figures to a PDF."""

import json
import re
from pathlib import Path

import typst

from ganbench.errors import GanbenchError
from ganbench.inputs import SHIPPED, missing, read_text, reason
from ganbench.provenance import atomic_path
from ganbench.report.schemas import check_report

SOURCE = SHIPPED / "paper" / "main.typ"
HEADING = re.compile(r"^#+\s*(D\d+)\W+(.+?)\.?\s*$", re.MULTILINE)


def build_paper(report_json: Path, out: Path, deviations_file: Path | None = None) -> None:
    """Writes a paper of two to five pages; the same report gives the same bytes.

    Args:
        report_json: what `build` wrote, with the figures beside it.
        out: the PDF.
        deviations_file: the shipped DEVIATIONS.md, if None.

    Raises:
        GanbenchError: shipped files are not there, or the report is not.
    """
    deviations_file = deviations_file or SHIPPED / "DEVIATIONS.md"
    for path in (SOURCE, report_json, deviations_file):
        if missing(path):
            raise GanbenchError(f"{path}: is missing; run 'ganbench report' first")
    check_report(report_json)
    compiler = typst.Compiler(
        input=str(SOURCE),
        root="/",  # report and source may lie anywhere
        ignore_system_fonts=True,  # typst brings its own, the same everywhere
        sys_inputs={
            "report": str(report_json.resolve()),
            "figures": str(report_json.resolve().parent),
            "deviations": json.dumps(deviations(deviations_file)),
        },
    )
    with atomic_path(out) as temporary:
        try:
            compiler.compile(output=str(temporary), format="pdf")
        except RuntimeError as problem:
            raise GanbenchError(
                f"{report_json}: cannot be typeset ({reason(problem)}); run 'ganbench report' again"
            ) from None


def deviations(path: Path) -> list[tuple[str, str]]:
    """Returns id and title of each deviation: headings such as `## D1. Noise is normal`."""
    return HEADING.findall(read_text(path, "install again"))
