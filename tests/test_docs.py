"""The facts that documents repeat are those of the sources."""

import inspect
import re
import subprocess
import tomllib
from pathlib import Path

from setuptools import find_packages

import ganbench_kernels
from ganbench.config import load_suite
from ganbench.training import naive

ROOT = Path(__file__).parent.parent
LARGEST_TREE = 58 * 2**20
README = (ROOT / "README.md").read_text()


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def test_tree_names_the_folders_that_exist() -> None:
    tree = between(README, "<!-- tree -->", "<!-- end of tree -->")
    named = {
        line.split()[0].rstrip("/") for line in tree.splitlines() if line and line[0].isalpha()
    }
    folders = {path.partition("/")[0] for path in tracked() if "/" in path and path[0] != "."}
    assert named == folders | {"Snakefile"}


def test_every_deviation_is_named_where_it_lives_and_none_is_invented() -> None:
    defined = set(re.findall(r"^## (D\d+)\. ", (ROOT / "DEVIATIONS.md").read_text(), re.MULTILINE))
    sources = [
        path for path in tracked() if re.match(r"(ganbench|configs|kernels)/.*\.(py|yaml)$", path)
    ]
    named = {
        name for path in sources for name in re.findall(r"\bD\d+\b", (ROOT / path).read_text())
    }
    assert named == defined


def test_shown_tables_are_the_published_ones() -> None:
    shown = re.findall(r"<!-- table: (\S+) -->\n(.*?)\n<!-- end of table -->", README, re.DOTALL)
    assert shown
    for path, table in shown:
        assert table.strip() == (ROOT / path).read_text().strip()


def test_every_file_that_readme_names_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    paths = re.findall(r"\b(?:configs|results/published)/[\w./-]+\w", README)
    for name in [*links, *paths]:
        assert (ROOT / name).exists(), name


def test_every_package_is_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    find = settings["packages"]["find"]
    listed = [
        name
        for where in find["where"]
        for name in find_packages(str(ROOT / where), include=find["include"])
    ]
    folders = [Path(path).parent for path in tracked() if path.endswith("/__init__.py")]
    names = [
        ".".join(folder.parts) for folder in folders if folder.parts[0] in ("ganbench", "kernels")
    ]
    assert sorted(listed) == sorted(re.sub("^kernels", "ganbench_kernels", name) for name in names)


def test_suites_list_experiments_that_exist() -> None:
    for path in (ROOT / "configs/suites").glob("*.yaml"):
        suite = load_suite(path)
        for entry in (*suite.experiments, *suite.theory):
            assert (path.parent / entry.config).is_file(), entry.config


def test_every_public_op_is_called_outside_tests() -> None:
    # Both halves of `maxout`, for engines that write their own backward; no run calls them.
    uncalled = {"maxout_forward", "maxout_backward"}
    sources = [ROOT / p for p in tracked() if re.match(r"(ganbench|examples)/.*\.py$", p)]
    text = "\n".join(path.read_text() for path in sources)
    called = set(re.findall(r"\bganbench_kernels\.(\w+)", text))
    for names in re.findall(r"from ganbench_kernels(?:\.reference)? import (.+)", text):
        called |= set(re.findall(r"\w+", names))
    assert set(ganbench_kernels.__all__) - called == uncalled


def test_the_tracked_tree_stays_small() -> None:
    size = sum((ROOT / path).stat().st_size for path in tracked() if (ROOT / path).is_file())
    assert size < LARGEST_TREE, f"{size / 2**20:.1f} MiB; publish fewer files"


def test_the_page_on_speed_shows_the_update_that_naive_makes() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert f"```python\n{inspect.getsource(naive.simultaneous)}```" in page


def test_the_first_screen_installs_scores_reproduces_and_cites() -> None:
    first = README.partition("<!-- table:")[0]
    assert len(first.splitlines()) <= 40
    commands = ("pip install", "ganbench score samples.npy", "make reproduce")
    assert all(command in first for command in (*commands, "@inproceedings", "@software"))
    citation = (ROOT / "CITATION.cff").read_text()
    for author in re.findall(r"family-names: ([\w-]+)", citation):
        assert author in first
    assert f"version = {{{re.search(r'^version: (.+)$', citation, re.MULTILINE)[1]}}}" in first
    assert "The ganbench authors" in first
