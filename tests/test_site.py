"""The documentation site is built in strict mode, whole offline, from the sources' own facts."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from ganbench.config import METHODS

ROOT = Path(__file__).parent.parent
# A browser that Playwright drives; without either of them these tests are left out.
BROWSERS = ("google-chrome", "chromium", "chromium-browser")
BROWSER = os.environ.get("GANBENCH_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), "")
DRIVEN = bool(BROWSER) and importlib.util.find_spec("playwright") is not None
browser = pytest.mark.skipif(not DRIVEN, reason="needs playwright and Chrome or Chromium")
REPORTS = sorted((ROOT / "results").glob("*/report.html"))
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
def window() -> Iterator[Any]:
    """A browser's page, which notes its errors in `problems`."""
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--single-process", "--no-zygote"]
    with sync_playwright() as driver:
        chrome = driver.chromium.launch(executable_path=BROWSER, args=options)
        page = chrome.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(f"{page.url}: {error}"))
        page.on("requestfailed", lambda one: page.problems.append(f"cannot load {one.url}"))
        yield page
        chrome.close()


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


def test_every_number_of_the_results_links_to_a_record(site: Path) -> None:
    text = (site / "results.html").read_text(encoding="utf-8")
    part = text.partition('id="mnist_full_length"')[2].partition("<h2")[0]
    for seed, value in enumerate(("220.9", "221.2", "222.5")):
        record = f"results/published/mnist_full_length/mnist_full_length/seed_{seed}/evaluate.json"
        assert f'<a href="{record}">{value}</a>' in part
    part = text.partition('id="mnist_100_epochs"')[2].partition("<h2")[0]
    metrics = "results/published/mnist_100_epochs/mnist_100_epochs/sample_metrics.json"
    assert f'<a href="{metrics}">0.09 (0.04 to 0.14)</a>' in part


@browser
def test_a_browser_opens_pages_without_an_error(site: Path, window: Any) -> None:
    pages = [page for page in sorted(site.glob("*.html")) if page.name != "404.html"]
    for page in pages:
        window.goto(page.as_uri())
        assert window.locator("article h1").first.is_visible(), page.name
        broken = "[...document.images].filter((one) => one.complete && !one.naturalWidth).length"
        assert window.evaluate(broken) == 0, page.name
    assert window.problems == []


@browser
def test_a_click_on_a_heading_sorts_the_table(site: Path, window: Any) -> None:
    window.goto((site / "results.html").as_uri())
    table = window.locator("article table").filter(has_text="MNIST, full length").first
    for reverse in (False, True):
        table.locator("thead th").nth(2).click()
        cells = table.locator("tbody td:nth-child(3)").all_text_contents()
        values = [float(one) for one in cells]
        assert len(values) > 10
        assert values == sorted(values, reverse=reverse)


@browser
@pytest.mark.skipif(not REPORTS, reason="no report.html has been made (make demo)")
def test_a_browser_opens_the_report_of_the_workflow(window: Any) -> None:
    for report in REPORTS:
        window.goto(report.as_uri())
        # The application has drawn itself: its home page shows the table and a picture.
        window.get_by_text("Log-likelihood of test images").first.wait_for()
        assert window.locator("img").first.is_visible()
    assert window.problems == []
