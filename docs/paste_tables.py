"""`make tables`: copies published tables, and that of the measures, into the documents."""

import re
from pathlib import Path

import pandas as pd

from ganbench.evaluation.measures import MEASURES

PATTERN = re.compile(
    r"<!-- table: (\S+) -->\n(```\n)?.*?\n(?:```\n)?<!-- end of table -->", re.DOTALL
)
MEASURES_PATTERN = re.compile(r"<!-- measures -->\n.*?\n<!-- end of measures -->", re.DOTALL)


def pasted(match: re.Match) -> str:
    """Returns the marks with the file's content between them, fenced where it was."""
    file, fence = match[1], match[2]
    body = Path(file).read_text().strip("\n")
    content = f"```\n{body}\n```" if fence else body
    return f"<!-- table: {file} -->\n{content}\n<!-- end of table -->"


def measures_table() -> str:
    """Returns what docs/score.md says of the measures, between its marks."""
    rows = [
        (one.group, one.title, f"`{name}`", one.unit, one.direction, one.source)
        for name, one in MEASURES.items()
    ]
    columns = ["Asks for", "Measure", "In the record", "Unit", "Direction", "Source"]
    table = pd.DataFrame(rows, columns=columns).to_markdown(index=False, disable_numparse=True)
    return f"<!-- measures -->\n{table}\n<!-- end of measures -->"


if __name__ == "__main__":
    for page in (Path("README.md"), *sorted(Path("docs").glob("*.md"))):
        text = PATTERN.sub(pasted, page.read_text())
        page.write_text(MEASURES_PATTERN.sub(lambda _: measures_table(), text))
