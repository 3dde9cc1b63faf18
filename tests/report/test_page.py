import re
from pathlib import Path

import pytest

from ganbench.errors import GanbenchError
from ganbench.evaluation.parzen import PROTOCOLS
from ganbench.report.page import SOURCE, write_page
from ganbench.report.table1.verdicts import margin


def test_the_page_is_html_with_its_tables(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<title>What the likelihoods may and may not be used for</title>" in text
    assert text.count("<table>") == 3
    assert "<code>gan2014</code>" in text


def test_a_missing_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"words\.md: cannot be read .*; install again"):
        write_page(tmp_path / "page.html", tmp_path / "words.md")


def test_a_page_without_a_heading_is_given_a_title(tmp_path: Path) -> None:
    source = tmp_path / "table.md"
    source.write_text("| a |\n|---|\n| 1 |\n")
    write_page(tmp_path / "page.html", source, "A & B")
    text = (tmp_path / "page.html").read_text()
    assert "<title>A &amp; B</title>" in text
    assert "<td>1</td>" in text


def test_the_page_names_every_protocol_and_the_margins() -> None:
    text = SOURCE.read_text()
    assert set(re.findall(r"^\| `(\w+)` \| 10,000", text, re.MULTILINE)) == set(PROTOCOLS)
    assert f"{margin('MNIST'):g} nats on MNIST, {margin('TFD'):g} on TFD" in text
