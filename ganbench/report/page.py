"""The page of plain words that stands beside the numbers: docs/likelihood.md as HTML."""

from base64 import b64encode
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from ganbench.inputs import LARGEST_FILE, SHIPPED, open_input, read_text
from ganbench.provenance import atomic_path
from ganbench.report.table1.table import STYLE

CENTRED = "img{width:100%;max-width:60em}"
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


def write_picture_page(picture: Path, out: Path, title: str) -> None:
    """Writes a page that holds a GIF: the HTML report would offer the bare file as a download.

    Args:
        picture: the GIF.
        out: the HTML file.
        title: of the page.
    """
    with open_input(picture, LARGEST_FILE, "run 'ganbench report' again") as file:
        content = b64encode(file.read()).decode("ascii")
    shown = escape(title)
    with atomic_path(out) as temporary:
        temporary.write_text(
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{shown}</title>\n<style>{CENTRED}</style>\n</head>\n<body>\n"
            f'<img alt="{shown}" src="data:image/gif;base64,{content}">\n</body>\n</html>\n',
            encoding="utf-8",
        )
