"""`make tables`: copies published tables into the documents that show them."""

import re
from pathlib import Path

PATTERN = re.compile(
    r"<!-- table: (\S+) -->\n(```\n)?.*?\n(?:```\n)?<!-- end of table -->", re.DOTALL
)


def pasted(match: re.Match) -> str:
    """Returns the marks with the file's content between them, fenced where it was."""
    file, fence = match[1], match[2]
    body = Path(file).read_text().strip("\n")
    content = f"```\n{body}\n```" if fence else body
    return f"<!-- table: {file} -->\n{content}\n<!-- end of table -->"


for page in (Path("README.md"), *sorted(Path("docs").glob("*.md"))):
    page.write_text(PATTERN.sub(pasted, page.read_text()))
