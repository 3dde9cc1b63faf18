"""The first page of report.html: result, first samples, and no markup of anybody's title."""

import re

import pytest
from docutils.core import publish_parts
from jinja2 import Environment

from ganbench.report.home import _text

from .synthetic import Synthetic


def page(source: str) -> str:
    """As Snakemake makes it: Jinja first, then reStructuredText, which must not complain."""
    rendered = Environment().from_string(source).render()
    parts = publish_parts(rendered, writer="html", settings_overrides={"halt_level": 2})
    return str(dict(parts)["html_body"])


def test_the_home_page_has_the_result_and_the_first_pictures(built: Synthetic) -> None:
    html = page((built.out.parent / "home.rst").read_text())
    headline = [
        row["log_likelihood"]
        for row in built.report["rows"]
        if row["kind"] == "ours" and row["log_likelihood"] is not None
    ]
    assert headline
    for value in headline:
        assert f"{value:.1f}" in html
    assert "paper: Adversarial nets" in html
    assert "k-means" not in html
    assert len(re.findall(r'<img [^>]*src="data:image/png;base64,', html)) == 2


@pytest.mark.parametrize(
    "title",
    [
        "{{ 7 * 7 }} {% raw %}",
        "`x <javascript:alert(1)>`_",
        "<b>bold</b> *a* |b| a_",
        ".. raw:: html",
    ],
)
def test_a_title_is_text(title: str) -> None:
    html = page(f"{_text(title)}\n")
    shown = re.sub(r"</?(p|div)[^>]*>", "", html).strip()
    assert shown == title.replace("<", "&lt;").replace(">", "&gt;")
