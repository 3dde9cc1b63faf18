"""What the HTML report opens with: the result and the first pictures, as reStructuredText."""

import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from ganbench.inputs import LARGEST_FILE, open_input
from ganbench.provenance import atomic_path
from ganbench.report.collect import ExperimentResults
from ganbench.report.outputs import figure_file
from ganbench.report.table1.rows import PAPERS_OWN, SOURCES, TRAINING_IMAGES, Row
from ganbench.report.table1.table import NONE

LINE = 1000  # characters
PICTURES = 2  # of samples, at most
WORDS = """Every number is read from the records that the workflow's rules wrote. On the left: the
whole table and the verdict on each claim of the paper, pictures of samples, how training went, what
likelihood does not see, where uncertainty comes from, and how the numbers may be read.
"""


def write_home(
    title: str, rows: Sequence[Row], experiments: Sequence[ExperimentResults], folder: Path
) -> None:
    """Writes home.rst into the folder of the report, where the figures already are.

    Args:
        title: of the suite.
        rows: of Table 1.
        experiments: of the suite, in its order.
        folder: of the report.
    """
    blocks = [f"{_text(title)}\n{'=' * (2 * len(title) + 1)}\n"]
    headline = [row for row in rows if _is_headline(row)]
    if headline:
        blocks.append(_table(headline))
    finished = [one for one in experiments if one.seeds_with("ok")]
    blocks += [_picture(one, folder) for one in finished[:PICTURES]]
    blocks.append(WORDS)
    with atomic_path(folder / "home.rst") as temporary:
        temporary.write_text("\n".join(blocks), encoding="utf-8")


def _is_headline(row: Row) -> bool:
    """The paper's own model, our first states, and training images in their place."""
    if row.kind == "published":
        return row.source.endswith(PAPERS_OWN)
    return row.kind == "ours" or row.source == SOURCES[TRAINING_IMAGES]


def _table(rows: Sequence[Row]) -> str:
    lines = [
        ".. list-table:: Log-likelihood of test images (nats), 95 % interval over seeds",
        "   :header-rows: 1",
        "",
    ]
    cells = [("Experiment", "Source", "Nats", "Interval")]
    cells += [(row.title, row.source, _number(row), _interval(row)) for row in rows]
    for experiment, *others in cells:
        lines.append(f"   * - {_text(experiment)}")
        lines += [f"     - {_text(other)}" for other in others]
    return "\n".join(lines) + "\n"


def _number(row: Row) -> str:
    return row.status if row.log_likelihood is None else f"{row.log_likelihood:.1f}"


def _interval(row: Row) -> str:
    return NONE if row.interval is None else f"{row.interval[0]:.1f} to {row.interval[1]:.1f}"


def _picture(results: ExperimentResults, folder: Path) -> str:
    """Held within the page, which is one file."""
    path = folder / figure_file("figure2", results.name, "png")
    with open_input(path, LARGEST_FILE, "run 'ganbench report' again") as file:
        content = f"data:image/png;base64,{b64encode(file.read()).decode('ascii')}"
    # Longer lines than docutils allows would hide the whole page.
    lines = "\n   ".join(wrap(content, LINE, break_on_hyphens=False))
    return f".. image:: {lines}\n   :width: 100%\n   :alt: {_text(results.experiment.title)}\n"


def _text(words: str) -> str:
    """A title is text: no sign of it is markup of reStructuredText or of Jinja."""
    return re.sub(r"([^\w\s]|_)", r"\\\1", " ".join(words.split()))
