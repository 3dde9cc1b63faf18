"""The documentation site is built in strict mode, whole offline, from the sources' own facts."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ganbench.config import METHODS

ROOT = Path(__file__).parent.parent
if any(importlib.util.find_spec(name) is None for name in ("mkdocs", "mkdocstrings")):
    pytest.skip("the extra `docs` is not installed", allow_module_level=True)


class Loaded(HTMLParser):
    """What a page loads, and where its links go."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            self.links.append(values.get("href") or "")
        elif tag in ("img", "script") or values.get("rel") == "stylesheet":
            self.loaded.append(values.get("src") or values.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    actual = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert actual.returncode == 0, actual.stderr
    return folder


def test_pages_load_and_name_only_what_is_there(site: Path) -> None:
    pages = sorted(site.glob("*.html"))
    assert len(pages) > 10
    for page in pages:
        if page.name == "404.html":
            continue
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        for one in parser.loaded:
            assert not urlsplit(one).netloc, f"{page.name} loads {one}"
        for one in (*parser.loaded, *parser.links):
            url = urlsplit(one)
            if url.scheme or url.netloc or not url.path:
                continue
            assert (page.parent / unquote(url.path)).exists(), f"{page.name}: {one}"


def test_the_configuration_has_every_key(site: Path) -> None:
    text = (site / "configuration.html").read_text(encoding="utf-8")
    for name in {name for model in METHODS.values() for name in model.model_fields}:
        assert f"<code>{name}</code>" in text


def test_python_and_results_are_there(site: Path) -> None:
    assert "ScoreMetric" in (site / "api.html").read_text(encoding="utf-8")
    text = (site / "results.html").read_text(encoding="utf-8")
    assert len(re.findall(r'href="results/published/[^"]+\.json"', text)) > 20
    assert (site / "search" / "search_index.json").exists()
