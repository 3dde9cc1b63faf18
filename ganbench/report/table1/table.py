"""Table 1 as people read it: csv with numbers, md, html, LaTeX and the terminal with words."""

import re
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench.provenance import atomic_path
from ganbench.published import GAN2014
from ganbench.report.collect import ExperimentResults
from ganbench.report.schemas import read_shown
from ganbench.report.statistics import MANY, quantile_words
from ganbench.report.table1.collapse import collapse_notes
from ganbench.report.table1.rows import Range, Row
from ganbench.report.table1.stopping import stopping_notes

COLUMNS = (
    "Experiment",
    "Source",
    "Protocol",
    "Log-likelihood ± SE (nats)",
    "SE over",
    "95 % interval over seeds",
    "Seeds run / diverged",
    "Epochs",
    "Sigma",
    "Grid penalty (nats)",
)
NONE = "-"
LEGEND = (
    "Gaussian Parzen-window log-likelihood of the test set, higher is better. Ours: mean over the "
    "seeds that finished; ± SE is the mean of the seeds' standard errors over what the next column "
    "says; the interval is Student's t over seeds. Sigma: range of the bandwidths chosen. Grid "
    "penalty: nats of the validation images that a bounded search for sigma gains over the grid. A "
    "protocol's name fixes samples, images and bandwidths: rows of different protocols do not "
    "compare, and those without a name were scored in their own papers. "
    f"Paper: {GAN2014}, Table 1; it reports no interval over seeds."
)
LOG_WIDTH = 210  # characters of a line where no terminal says its own width


@dataclass(frozen=True)
class PrintedTable:
    """What is printed: a heading, cells row by row, and lines below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The cells with their headings."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns))


def printed_table(
    title: str, rows: Sequence[Row], experiments: Sequence[ExperimentResults]
) -> PrintedTable:
    """Returns rows in words; notes and reasons for gaps become lines below the table."""
    notes = {results.name: results.experiment.note for results in experiments}
    distinct = list(dict.fromkeys(filter(None, notes.values())))
    letters = dict(zip(distinct, string.ascii_letters, strict=False))
    marks = {name: letters[note] for name, note in notes.items() if note}
    cells = [_cells(row, marks.get(row.experiment)) for row in rows]
    lines = [f"[{letter}] {note}" for note, letter in letters.items()]
    lines += [_each_seed(row) for row in rows if len(row.seed_values) > 1]
    lines += [note for results in experiments for note in few(collapse_notes(results))]
    lines += [note for results in experiments for note in stopping_notes(results)]
    lines += [note for results in experiments for note in _device_notes(results)]
    lines += _protocol_notes(rows)
    lines += [message for results in experiments for message in few(results.messages)]
    sentences = (line if line.endswith(".") else f"{line}." for line in lines)
    return PrintedTable(title, COLUMNS, tuple(cells), (LEGEND, *sentences))


def few(notes: list[str]) -> list[str]:
    """Returns the notes, of more than `MANY` the first and how many more there are."""
    return notes if len(notes) <= MANY else [*notes[:MANY], f"And {len(notes) - MANY:,} more such"]


def _cells(row: Row, mark: str | None) -> tuple[str, ...]:
    runs = NONE if row.seeds_run is None else f"{row.seeds_run} / {row.seeds_diverged}"
    edge = ", at the grid's edge" if row.sigma_at_grid_edge else ""
    return (
        f"{row.title} [{mark}]" if mark else row.title,
        row.source,
        row.protocol or NONE,
        _score(row),
        row.error_over or NONE,
        _interval(row),
        runs,
        _range(row.epochs, ".0f"),
        _range(row.sigma, ".3f") + edge,
        NONE if row.grid_penalty is None else f"{row.grid_penalty:.1f}",
    )


def _each_seed(row: Row) -> str:
    """Lists each run behind a mean, which says little where one of them failed; or each draw."""
    values = ", ".join(f"{value:.1f}" for value in row.seed_values)
    if len(row.seed_values) > MANY:
        values = quantile_words(row.seed_values)
    source = row.source.removeprefix("ours: ").removeprefix("baseline: ")
    each = "each seed" if row.kind == "ours" else "each draw (the first is the row)"
    return f"{row.title}, {source}, {each}: {values}"


def _device_notes(results: ExperimentResults) -> list[str]:
    """On how many kinds of device the seeds were trained; a seed is not the same on another."""
    seeds = results.seeds_with("ok")
    devices = {results.stages["train"][seed].record.provenance.device for seed in seeds}
    if not devices:
        return []
    kinds = "one kind" if len(devices) == 1 else f"{len(devices)} kinds"
    names = ", ".join(sorted(devices))
    return [f"{results.experiment.title}: trained on {kinds} of device ({names})"]


def _protocol_notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know of the protocols used, each once."""
    notes = {row.protocol: row.protocol_note for row in rows if row.protocol_note}
    return [f"{name}: {note}" for name, note in notes.items()]


def _score(row: Row) -> str:
    """The mean never stands alone where seeds are missing from it."""
    if row.log_likelihood is None:
        return row.status
    number = "g" if row.kind == "published" else ".1f"
    score = f"{row.log_likelihood:{number}}"
    if row.standard_error is not None:
        score += f" ± {row.standard_error:{number}}"
    if row.status == "ok":
        return score
    return f"{score} (INCOMPLETE: {row.status}; mean of the {row.seeds_finished} finished)"


def _interval(row: Row) -> str:
    if row.interval is None:
        return NONE
    which = "" if row.status == "ok" else f" (of {row.seeds_finished} seeds)"
    return f"{_range(row.interval, '.1f')}{which}"


def _range(values: Range | None, number: str) -> str:
    if values is None:
        return NONE
    low, high = (f"{value:{number}}" for value in values)
    return low if low == high else f"{low} to {high}"


def write_tables(table: PrintedTable, rows: Sequence[Row], folder: Path) -> None:
    """Writes table1.csv (numbers), .md, .html and .tex (words) into a folder."""
    write_printed_table(table, _csv(rows), folder, "table1")


def write_printed_table(table: PrintedTable, csv: str, folder: Path, stem: str) -> None:
    """Writes a table as csv (given, with numbers) and as md, html and tex (words) into a folder."""
    contents = {
        "csv": csv,
        "md": _markdown(table),
        "html": _html(table),
        "tex": _latex(table),
    }
    for suffix, content in contents.items():
        with atomic_path(folder / f"{stem}.{suffix}") as temporary:
            temporary.write_text(content, encoding="utf-8")


def _csv(rows: Sequence[Row]) -> str:
    counts = ["seeds_run", "seeds_finished", "seeds_diverged", "epochs_low", "epochs_high"]
    columns = list(_flat(Row(experiment="", title="", kind="ours", source="")))
    frame = pd.DataFrame([_flat(row) for row in rows], columns=columns)
    return frame.astype(dict.fromkeys(counts, "Int64")).to_csv(index=False, lineterminator="\n")


def _flat(row: Row) -> dict[str, Any]:
    """Ranges take two columns each, so that every cell is one number or word."""
    cells = asdict(row)
    for name in ("epochs", "interval", "sigma"):
        low, high = cells.pop(name) or (None, None)
        cells |= {f"{name}_low": low, f"{name}_high": high}
    return cells | {"seed_values": " ".join(map(str, row.seed_values))}


def _markdown(table: PrintedTable) -> str:
    frame = table.frame.map(lambda cell: _no_tags(cell).replace("|", r"\|"))
    body = frame.to_markdown(index=False, disable_numparse=True)
    return "\n\n".join([f"**{_no_tags(table.title)}**", body, *map(_no_tags, table.notes)]) + "\n"


def _no_tags(text: str) -> str:
    """Markdown hands what looks like a tag of HTML on as one."""
    return re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text)


def _html(table: PrintedTable) -> str:
    styler = table.frame.map(escape).style.hide(axis="index").set_uuid("table1")
    body = styler.set_caption(escape(table.title)).to_html(
        doctype_html=True, table_attributes='lang="en"', encoding="utf-8"
    )
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in table.notes)
    return body.replace("<head>\n", f"<head>\n<style>{STYLE}</style>\n").replace(
        "</body>", f"{notes}</body>"
    )


STYLE = (
    "body{font-family:sans-serif;font-size:14px;max-width:75em}"
    "table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}"
    "caption{font-weight:bold;text-align:left;padding:.5em 0}"
    "thead th{border-bottom:1px solid}"
    "th,td{text-align:left;padding:.25em .75em;vertical-align:top}"
)


def _latex(table: PrintedTable) -> str:
    """A booktabs tabular with its notes, for a preamble with booktabs, graphicx and utf8 input."""
    frame = table.frame.map(_latex_text).rename(columns=_latex_text)
    tabular = frame.style.hide(axis="index").to_latex(
        hrules=True, column_format="l" * len(table.columns)
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_text(table.title)}}}",
        r"\resizebox{\textwidth}{!}{%",
        tabular.strip() + "}",
        *(rf"\par\footnotesize {_latex_text(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_text(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


LATEX = {character: rf"\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


def print_table(report_json: Path) -> None:
    """Prints the table of a report on the terminal."""
    table = read_shown(report_json).table
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    # Text, because brackets in a title are no markup.
    printed = Table(title=Text(table.title), title_justify="left", box=SIMPLE_HEAD)
    for column in table.columns:
        printed.add_column(Text(column))
    above = ""
    for title, *cells in table.rows:
        if title != above:
            printed.add_section()
        printed.add_row(*map(Text, ("" if title == above else title, *cells)))
        above = title
    console.print(printed)
    for note in table.notes:
        console.print(note, markup=False, highlight=False)
