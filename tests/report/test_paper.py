import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typst

from ganbench.errors import GanbenchError
from ganbench.inputs import SHIPPED
from ganbench.report.build import build
from ganbench.report.collect import ExperimentResults
from ganbench.report.outputs import FIGURES, figure_file
from ganbench.report.paper import SOURCE, build_paper, deviations

from .synthetic import Synthetic

DEVIATIONS = """# Deviations

Words.

## D1. Noise of MNIST

Text with a D2 in it.

### D2: Stopping epoch.

## Not one
"""


@pytest.fixture
def deviations_file(tmp_path: Path) -> Path:
    path = tmp_path / "DEVIATIONS.md"
    path.write_text(DEVIATIONS)
    return path


def compiler(report_json: Path) -> typst.Compiler:
    return typst.Compiler(
        input=str(SOURCE),
        root="/",
        ignore_system_fonts=True,
        sys_inputs={
            "report": str(report_json),
            "figures": str(report_json.parent),
            "deviations": json.dumps([["D1", "title"]] * 12),
        },
    )


def pages(report_json: Path) -> int:
    """Counts pages and refuses whatever typst warns of (an unknown font, an empty label)."""
    pictures, warnings = compiler(report_json).compile_with_warnings(format="png", ppi=20)
    assert warnings == []
    return len(pictures) if isinstance(pictures, list) else 1


def test_deviations_are_the_headings_with_ids(deviations_file: Path) -> None:
    assert deviations(deviations_file) == [("D1", "Noise of MNIST"), ("D2", "Stopping epoch")]


def test_the_paper_is_a_pdf_and_the_same_twice(
    built: Synthetic, tmp_path: Path, deviations_file: Path
) -> None:
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    for out in (first, second):
        build_paper(built.out, out, deviations_file)
    assert first.read_bytes().startswith(b"%PDF-")
    assert first.read_bytes() == second.read_bytes()
    assert b"CreationDate" not in first.read_bytes()


def test_everything_that_can_happen_fits_five_pages(built: Synthetic) -> None:
    assert 2 <= pages(built.out) <= 5


@pytest.mark.parametrize(
    ("names", "unavailable"),
    [
        (["digits"], ()),
        (["tfd"], ("tfd",)),
        (["mnist", "mnist_normal", "tfd", "faces48", "cifar10_fc", "cifar10_conv"], ()),
    ],
)
def test_two_to_five_pages(
    synthetic: Callable[..., Synthetic],
    built: Synthetic,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    unavailable: tuple[str, ...],
) -> None:
    def copy_figures(results: ExperimentResults, folder: Path) -> None:
        """Drawing takes seconds, and every experiment's figures have the same proportions."""
        for figure in FIGURES:
            for suffix in ("svg", "png"):
                drawn = built.out.parent / figure_file(figure, "mnist", suffix)
                shutil.copy(drawn, folder / figure_file(figure, results.name, suffix))

    monkeypatch.setattr("ganbench.report.build.write_figures", copy_figures)
    suite = synthetic(dict.fromkeys(names, (0, 1)), unavailable=unavailable)
    build(suite.config, suite.results, suite.out)
    assert 2 <= pages(suite.out) <= 5


def test_a_missing_report_is_named(tmp_path: Path, deviations_file: Path) -> None:
    missing = tmp_path / "report.json"
    with pytest.raises(GanbenchError, match=r"report\.json: is missing; run 'ganbench report'"):
        build_paper(missing, tmp_path / "paper.pdf", deviations_file)


def test_the_table_is_the_reports_cell_by_cell(built: Synthetic) -> None:
    (_, table) = json.loads(compiler(built.out).query("figure.where(kind: table)", field="body"))
    cells = [child["body"] for child in table["children"] if child["func"] == "cell"]
    # An experiment's name is bold: its text lies one deeper.
    printed = [cell.get("body", cell).get("text", "") for cell in cells]
    above = ""
    expected = []
    for title, *numbers in built.report["table"]["rows"]:
        expected += [*([] if title == above else [title]), *numbers]
        above = title
    assert printed == expected


def test_letters_have_seven_points_or_more() -> None:
    sizes = re.findall(r"(?:size: |text\()([\d.]+)pt", SOURCE.read_text())
    assert len(sizes) > 5
    assert min(map(float, sizes)) >= 7


def test_a_table_that_fits_a_page_is_kept_on_one(built: Synthetic, tmp_path: Path) -> None:
    def placements(report: dict) -> list[object]:
        path = tmp_path / "report.json"
        path.write_text(json.dumps(report))
        text = compiler(path).query("figure.where(kind: table)", field="placement")
        return json.loads(text)

    for file in built.out.parent.glob("*.svg"):
        shutil.copy(file, tmp_path)
    (_, floats) = placements(built.report)
    assert floats == "auto"
    # A longer one runs on, with its headings again.
    report = json.loads(json.dumps(built.report))
    report["table"]["rows"] *= 5
    (_, floats) = placements(report)
    assert floats is None


def test_the_source_trees_deviations_have_titles() -> None:
    actual = deviations(SHIPPED / "DEVIATIONS.md")
    assert [name for name, _ in actual] == [f"D{number + 1}" for number in range(len(actual))]
    assert actual
