"""Parts of the scatter, read from records."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from ganbench.report.collect import ExperimentResults, collect
from ganbench.report.statistics import seeds_needed, upper_deviation
from ganbench.report.table1.components import two_level
from ganbench.report.table1.scatter import samples_curve_figure, variance_figure
from ganbench.report.table1.variance import draws_of, parts, seeds_table, variance_table

from .synthetic import Synthetic

Write = Callable[..., Synthetic]
SCORES = {("mnist", 0): 218.0, ("mnist", 1): 221.0, ("mnist", 2): 227.0}
# The made-up records' draws 1 to 4 are half a nat below and above draw 0.
DRAWS = [[value + step for step in (0, -0.5, 0.5, -0.5, 0.5)] for value in SCORES.values()]


def results_of(suite: Synthetic) -> list[ExperimentResults]:
    return collect(suite.config, suite.results)


@pytest.fixture
def mnist(synthetic: Write) -> list[ExperimentResults]:
    return results_of(synthetic({"mnist": (0, 1, 2)}, scores=SCORES))


def test_every_draw_is_read(mnist: list[ExperimentResults]) -> None:
    assert draws_of(mnist[0]) == dict(enumerate(DRAWS))


def test_the_four_parts_stand_side_by_side(mnist: list[ExperimentResults]) -> None:
    images, draws, bandwidth, seeds = parts(mnist[0])
    expected = two_level(DRAWS)
    assert (images.part, images.deviation, images.source) == ("test images", 2.0, "10,000 images")
    assert draws.deviation == pytest.approx(math.sqrt(expected.draw_variance or 0))
    assert bandwidth.deviation == pytest.approx(0.75)
    assert (bandwidth.interval, bandwidth.source) == ((0.75, 0.75), "1,000 validation images")
    assert seeds.deviation == pytest.approx(math.sqrt(expected.seed_variance or 0))
    assert seeds.source == draws.source == "3 seeds x 5 draws"


def test_the_table_never_adds_them_up(mnist: list[ExperimentResults]) -> None:
    table, csv = variance_table(mnist)
    assert [row[1] for row in table.rows] == [
        "test images",
        "draws of the samples",
        "choice of the bandwidth",
        "training seeds",
    ]
    assert "never summed" in table.notes[0]
    assert table.notes[1].startswith(
        "MNIST: mean over 3 seeds 222.00 nats, t interval 210.62 to 233.38"
    )
    assert csv.count("\n") == 5


def test_one_seed_of_one_draw_tells_little(synthetic: Write) -> None:
    (results,) = results_of(synthetic({"mnist_25_epochs": (0,)}))
    assert [part.deviation is None for part in parts(results)] == [False, True, False, True]
    table, _ = variance_table([results])
    assert table.notes[1].endswith("one seed, 200.0 nats; nothing is known of others.")
    assert seeds_table([results])[0].rows == ()


def test_folds_and_seeds_that_did_not_finish(synthetic: Write) -> None:
    suite = synthetic(
        {"faces48": (0,), "mnist": (0, 1)},
        statuses={("mnist", 0): "diverged", ("mnist", 1): "diverged"},
    )
    faces, mnist = results_of(suite)
    assert parts(faces)[0].part == "folds of test images"
    assert parts(mnist) == []


def test_seeds_needed_are_those_of_the_upper_bound(mnist: list[ExperimentResults]) -> None:
    table, _ = seeds_table(mnist)
    bound = upper_deviation(list(SCORES.values()))
    expected = [f"{seeds_needed(bound, gap):,}" for gap in (2, 5, 10)]
    assert list(table.rows[0]) == ["MNIST", "3", f"{bound:.2f}", *expected]


def test_a_dot_and_a_line_for_each_part(mnist: list[ExperimentResults]) -> None:
    (axes,) = variance_figure(parts(mnist[0]), "title", "footer").axes
    dots = [float(line.get_xdata()[0]) for line in axes.get_lines() if line.get_marker() == "o"]
    assert dots == pytest.approx([part.deviation for part in parts(mnist[0])])
    assert len(axes.get_lines()) == 4 + 3
    assert [text.get_text() for text in axes.get_yticklabels()][3] == "MNIST: training seeds"


def test_a_line_a_seed_and_one_of_training_images(mnist: list[ExperimentResults]) -> None:
    name = "log_likelihood_by_samples"
    training = mnist[0].baselines.metrics(name)
    curve = mnist[0].stages["evaluate"][1].metrics(name)
    (axes,) = samples_curve_figure(training, {"seed 1": curve}, "title", "footer").axes
    model, images = axes.get_lines()
    np.testing.assert_allclose(model.get_xdata(), [100, 1000, 10_000, 100_000])
    np.testing.assert_allclose(images.get_ydata(), [one.value for one in training])
    assert images.get_label() == "training images"
