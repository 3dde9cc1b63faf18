"""The pages on scoring repeat facts of the sources: the measures, the protocols, what was run."""

import re
from pathlib import Path

import pandas as pd
import pytest

from ganbench.evaluation.measures import MEASURES
from ganbench.evaluation.parzen import PROTOCOLS

ROOT = Path(__file__).parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("score.md", "estimators.md")}


def measures_table() -> str:
    """What docs/score.md says of the measures."""
    rows = [
        (one.group, one.title, f"`{name}`", one.unit, one.direction, one.source)
        for name, one in MEASURES.items()
    ]
    columns = ["Asks for", "Measure", "In the record", "Unit", "Direction", "Source"]
    return pd.DataFrame(rows, columns=columns).to_markdown(index=False, disable_numparse=True)


def test_the_measures_are_those_of_the_code() -> None:
    shown = PAGES["score.md"].partition("<!-- measures -->\n")[2].partition("\n<!-- end")[0]
    assert shown == measures_table(), "paste tests.test_score_docs.measures_table() there"


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
