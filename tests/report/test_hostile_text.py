"""Titles are text wherever they stand: never a tag, a formula, a command or an escape sequence."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ganbench.report.outputs import shown
from ganbench.report.page import write_page
from ganbench.report.style import figure_style, new_figure, save
from ganbench.report.table1.table import PrintedTable, write_printed_table
from ganbench.report.theory.outputs import shown as theory_shown

CONFIGS = Path(__file__).parents[2] / "configs" / "experiments"

TAG = "</script><img src=x onerror=alert(1)>"
TITLES = [TAG, "cost $5", r"$\frac{a}$ \q", "{} %s {0}", "Ünïcødé Σ", r"a\b_c^d~e#f&g", "[/nope]"]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.seen.add(tag)


def tags(text: str) -> set[str]:
    parser = Tags()
    parser.feed(text)
    return parser.seen


def written(title: str, folder: Path) -> dict[str, str]:
    table = PrintedTable(title, ("a", "b"), ((title, "1"),), (title,))
    write_printed_table(table, "", folder, "t")
    return {one: (folder / f"t.{one}").read_text() for one in ("md", "html", "tex")}


def test_a_tag_in_a_title_is_text(tmp_path: Path) -> None:
    texts = written(TAG, tmp_path)
    assert "img" not in tags(texts["html"])
    assert "img" not in tags(texts["md"].replace(r"\<", "&lt;"))
    assert texts["md"].count(r"\</script>\<img") == 3
    page = tmp_path / "estimators.html"
    write_page(page, tmp_path / "t.md", TAG)
    assert {"img", "script"}.isdisjoint(tags(page.read_text()))
    assert page.read_text().count("&lt;img src=x") == 4
    # Whoever wrote the Markdown, its HTML stays text.
    (tmp_path / "t.md").write_text(f"# {TAG}\n\n{TAG}\n\n[x](javascript:alert(1))\n")
    write_page(page, tmp_path / "t.md")
    assert {"img", "script", "a"}.isdisjoint(tags(page.read_text()))


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_drawn_and_typeset_as_it_is(title: str, tmp_path: Path) -> None:
    with figure_style():
        figure = new_figure(title, "footer", 2)
        save(figure, tmp_path / "f.svg")
        save(figure, tmp_path / "f.png")
    latex = written(title, tmp_path)["tex"]
    for special in "&%$#_{}~^":
        bare = re.sub(r"\\(text\w+\{\}|[&%$#_{}]|pm)", "", latex.partition(r"\caption{")[2])
        first = bare.partition("\n")[0].removesuffix("}")
        assert special not in first


def test_no_title_ends_the_script_of_the_html_report(tmp_path: Path) -> None:
    """Snakemake writes labels and parameters of rules into it as they are."""
    entries = []
    for name in ("digits", "theory_figure1_short"):
        config = tmp_path / f"{name}.yaml"
        config.write_text(f"extends: {CONFIGS / name}.yaml\ntitle: {TAG!r}\n")
        entries.append({"config": str(config), "seeds": [0]})
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        json.dumps({"name": "t", "title": TAG, "experiments": entries[:1], "theory": entries[1:]})
    )
    labels = str(shown(suite)) + str(theory_shown(suite))
    assert labels.count("\u2039/script>") > 2
    assert "<" not in labels
    snakefile = (CONFIGS.parents[1] / "Snakefile").read_text()
    dumped = re.findall(r"in_page\(\s*\S*model_dump_json\(\)", snakefile)
    assert len(dumped) == snakefile.count("model_dump_json") == 2
