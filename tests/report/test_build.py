import json
import re
from collections.abc import Callable
from pathlib import Path

from ganbench.provenance import file_sha256
from ganbench.report.build import build

from .synthetic import Synthetic


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_records_give_the_same_bytes(synthetic: Callable[..., Synthetic]) -> None:
    suite = synthetic({"digits": (0, 1)})
    first, second = suite.folder / "first", suite.folder / "second"
    for folder in (first, second):
        build(suite.config, suite.results, folder / "report.json")
    assert contents(first) == contents(second)


def test_no_file_holds_a_date_or_a_folder_of_the_machine(built: Synthetic) -> None:
    for name, content in contents(built.out.parent).items():
        if name.endswith((".svg", ".json", ".html", ".md", ".tex", ".csv")):
            text = content.decode()
            assert str(built.folder) not in text, name
            assert not re.search(r"20\d\d-\d\d-\d\dT", text), name


def test_the_report_names_the_records_it_was_made_from(built: Synthetic) -> None:
    named = json.loads(built.out.read_text())["made_from"]
    records = {path for path in built.results.rglob("*.json") if path.parent != built.out.parent}
    expected = {path.relative_to(built.results).as_posix(): file_sha256(path) for path in records}
    assert named == expected


def test_a_suite_without_experiments_has_an_empty_table(tmp_path: Path) -> None:
    config = tmp_path / "empty.yaml"
    config.write_text("name: empty\ntitle: Nothing yet\n")
    build(config, tmp_path, tmp_path / "report" / "report.json")
    assert (tmp_path / "report" / "table1.md").read_text().startswith("**Nothing yet")
