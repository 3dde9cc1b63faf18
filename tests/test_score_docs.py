"""The pages on scoring repeat facts of the sources: the measures, the protocols, what was run."""

import re
import runpy
from pathlib import Path

import pytest

from ganbench.evaluation.parzen import PROTOCOLS

ROOT = Path(__file__).parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("score.md", "estimators.md")}


def test_the_measures_are_those_of_the_code() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "paste_tables.py"))
    assert script["measures_table"]() in PAGES["score.md"], "run `make tables`"


def test_the_protocols_are_those_of_the_code() -> None:
    for name in PROTOCOLS:
        assert f"`{name}`" in PAGES["score.md"]


@pytest.mark.parametrize("page", PAGES)
def test_shown_tables_and_output_are_the_published_ones(page: str) -> None:
    pattern = r"<!-- table: (\S+) -->\n(?:```\n)?(.*?)\n(?:```\n)?<!-- end of table -->"
    shown = re.findall(pattern, PAGES[page], re.DOTALL)
    assert shown
    for path, table in shown:
        assert table.strip() == (ROOT / path).read_text().strip(), path


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", PAGES[page]):
        assert (ROOT / "docs" / name).exists(), name
