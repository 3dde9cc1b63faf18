from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ganbench.errors import GanbenchError
from ganbench.report.collect import collect
from ganbench.report.outputs import FIGURES
from ganbench.report.table1 import figures

from .synthetic import COMMIT, Synthetic

Write = Callable[..., Synthetic]
MOST_PIXELS = 1200  # what the HTML report shows without scaling


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Fills with the words of each figure instead of drawing it."""
    actual: dict[str, str] = {}

    def save(figure: Figure, path: object) -> None:
        words = [text.get_text() for text in figure.texts]
        words += [text.get_text() for axes in figure.axes for text in axes.texts]
        actual[str(path).rpartition("/")[2]] = " | ".join(words).replace("\n", " ")

    monkeypatch.setattr(figures, "save", save)
    return actual


def write(suite: Synthetic) -> None:
    for results in collect(suite.config, suite.results):
        figures.write_figures(results, suite.out.parent)


def test_figures_say_seed_state_and_commit(synthetic: Write, texts: dict[str, str]) -> None:
    suite = synthetic(
        {"digits": (0, 1, 2)}, statuses={("digits", 0): "diverged"}, scores={("digits", 2): 1.0}
    )
    write(suite)
    shown = texts["figure2_digits.svg"]
    assert "digits 8 x 8" in shown
    assert "seed 2 (of median validation likelihood), last epoch" in shown
    assert f"rule report, commit {COMMIT[:10]}" in shown
    assert "seeds 1, 2 (1 of 3 seeds diverged)" in texts["learning_curves_digits.png"]
    assert len(texts) == 2 * len(FIGURES)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unavailable": ("digits",)}, "data not available"),
        ({"statuses": {("digits", 0): "diverged"}}, "1 of 1 seeds diverged"),
    ],
)
def test_an_empty_figure_says_why(
    synthetic: Write, texts: dict[str, str], options: dict, reason: str
) -> None:
    write(synthetic({"digits": (0,)}, **options))
    assert len(texts) == 2 * len(FIGURES)
    assert all(reason in text for text in texts.values())


def test_what_a_diverged_seed_learnt_is_drawn(
    synthetic: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dotted, joined across the epochs that were not monitored."""
    suite = synthetic({"digits": (0,)}, statuses={("digits", 0): "diverged"})
    drawn: dict[str, Figure] = {}
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.update({path.name: figure}))
    write(suite)
    curves = drawn["learning_curves_digits.svg"]
    assert "no seed finished (1 of 1 seeds diverged)" in curves.texts[-1].get_text()
    recorded = [axes for axes in curves.axes if not axes.texts]
    assert len(recorded) == len(curves.axes) - 1  # this history lacks the share of pairs alike
    for axes in recorded:
        assert axes.lines
        for line in axes.lines:
            assert line.get_linestyle() == ":"
            assert np.isfinite(np.asarray(line.get_ydata())).all()
    legends = [axes.get_legend() for axes in curves.axes]
    shown = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend]
    assert shown[0] == ["discriminator", "generator"]


def test_published_records_without_their_samples_can_be_reported(
    synthetic: Write, texts: dict[str, str]
) -> None:
    suite = synthetic({"digits": (0,)})
    suite.record_path("digits", 0, "sample").with_name("figures_last.npz").unlink()
    write(suite)
    for name in ("figure2", "interpolation"):
        assert "seed_0/figures_last.npz is not kept here" in texts[f"{name}_digits.svg"]
    assert "not kept" not in texts["learning_curves_digits.svg"]


def test_a_changed_file_is_refused(synthetic: Write, texts: dict[str, str]) -> None:
    suite = synthetic({"digits": (0,)})
    file = suite.record_path("digits", 0, "sample").with_name("figures_last.npz")
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(
        GanbenchError, match=r"figures_last\.npz: is not the file that sample\.json"
    ):
        write(suite)
    assert texts == {}


def test_pictures_fit_the_report_and_vectors_are_svg(built: Synthetic) -> None:
    folder = built.out.parent
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert max(picture.size) <= MOST_PIXELS
    for path in folder.glob("*.svg"):
        assert path.read_text().startswith("<?xml")
