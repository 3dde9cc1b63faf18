"""The page of plain words that stands beside the numbers: docs/likelihood.md as HTML."""

from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from ganbench.inputs import SHIPPED, read_text
from ganbench.provenance import atomic_path
from ganbench.report.table1.table import STYLE

SOURCE = SHIPPED / "likelihood.md"


def write_page(out: Path, source: Path = SOURCE, title: str = "") -> None:
    """Writes the page; the same words give the same bytes.

    HTML in the source is shown as text, never live.

    Args:
        out: the HTML file.
        source: Markdown.
        title: of the page; the first line, a heading, if empty.

    Raises:
        GanbenchError: the page is not there.
    """
    text = read_text(source, "install again")
    title = escape(title or text.partition("\n")[0].lstrip("# "))
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    with atomic_path(out) as temporary:
        temporary.write_text(
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
            encoding="utf-8",
        )
