import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.records import Metric
from ganbench.report.style import MANY, figure_style
from ganbench.report.table1.curves import PANELS, bandwidth_figure, learning_curves_figure
from ganbench.report.table1.scatter import samples_curve_figure

COLUMNS = [column for _, _, lines in PANELS for column, *_ in lines]


def history(level: float, epochs: int = 4, phases: tuple[int, ...] = (1, 1, 1, 1)) -> pd.DataFrame:
    table = pd.DataFrame({"epoch": range(1, epochs + 1), "phase": phases[:epochs]})
    table["learning_rate"] = 0.1 / table["epoch"]
    for column in COLUMNS:
        table[column] = level
    # Monitored in every second epoch only.
    table.loc[table["epoch"] % 2 == 1, "validation_log_likelihood"] = np.nan
    return table


def labelled(axes: Axes, label: str) -> Line2D:
    (line,) = (line for line in axes.get_lines() if line.get_label() == label)
    return line


def unlabelled(axes: Axes, style: str) -> list[Line2D]:
    lines = [line for line in axes.get_lines() if str(line.get_label()).startswith("_")]
    return [line for line in lines if line.get_linestyle() == style]


def test_the_thick_line_is_the_mean_over_finished_seeds() -> None:
    figure = learning_curves_figure({0: history(0.2), 3: history(0.6)}, {}, "title", "footer")
    score, _, losses, *_ = figure.axes
    mean = labelled(losses, "generator")
    np.testing.assert_allclose(mean.get_ydata(), 0.4)
    np.testing.assert_array_equal(mean.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(labelled(score, "Parzen window").get_xdata(), [2, 4])
    # Two players, each with two seeds.
    assert len(unlabelled(losses, "-")) == 4
    (band, _) = losses.collections
    assert band.get_paths()[0].get_extents().ymin == pytest.approx(0.2)
    assert band.get_paths()[0].get_extents().ymax == pytest.approx(0.6)


def test_one_seed_has_no_band() -> None:
    figure = learning_curves_figure({0: history(0.2)}, {}, "title", "footer")
    assert [len(axes.collections) for axes in figure.axes] == [0] * 6
    assert len(figure.axes[2].get_lines()) == 2


def test_the_learning_rate_falls_to_the_right() -> None:
    figure = learning_curves_figure({0: history(0.2), 3: history(0.6)}, {}, "title", "footer")
    by_rate = figure.axes[-1]
    assert by_rate.xaxis_inverted()
    assert by_rate.get_xscale() == "linear"
    long = history(0.2, epochs=400, phases=(1,) * 400)
    assert learning_curves_figure({0: long}, {}, "t", "f").axes[-1].get_xscale() == "log"
    seeds = by_rate.get_lines()
    np.testing.assert_allclose(seeds[0].get_xdata(), [0.05, 0.025])
    assert [line.get_ydata()[0] for line in seeds] == [0.2, 0.6]


def test_a_diverged_seed_is_dotted_and_in_no_mean() -> None:
    gone = history(0.9, epochs=2)
    figure = learning_curves_figure({0: history(0.2)}, {1: gone}, "title", "footer")
    losses = figure.axes[2]
    np.testing.assert_allclose(labelled(losses, "generator").get_ydata(), 0.2)
    assert [list(line.get_xdata()) for line in unlabelled(losses, ":")] == [[1, 2], [1, 2]]


def test_histories_from_before_the_alarm_say_so_or_are_left_out() -> None:
    new, old = history(0.2), history(0.6).drop(columns="collapse_share")
    alike = learning_curves_figure({0: old}, {}, "title", "footer").axes[1]
    assert [text.get_text() for text in alike.texts] == ["not recorded"]
    both = learning_curves_figure({0: old, 1: new}, {2: old}, "title", "footer").axes[1]
    np.testing.assert_allclose(labelled(both, "generated").get_ydata(), 0.2)
    assert not both.texts


def test_a_new_phase_is_marked_between_its_epochs() -> None:
    two = history(0.2, phases=(1, 1, 2, 2))
    figure = learning_curves_figure({0: two}, {}, "title", "footer")
    for axes in figure.axes[:-1]:
        (mark,) = unlabelled(axes, "--")
        assert list(mark.get_xdata()) == [2.5, 2.5]


def grid(best: float, folds: tuple[int, ...] = ()) -> list[Metric]:
    """A curve over three bandwidths with its peak at `best`, for each fold."""
    return [
        Metric(
            name="validation_log_likelihood",
            value=-abs(sigma - best),
            unit="nats",
            labels={"sigma": sigma} | ({"fold": fold} if folds else {}),
        )
        for fold in folds or (0,)
        for sigma in (0.3, 0.1, 0.2)
    ]


def marks(figure: Figure) -> list[float]:
    """The bandwidths that are circled, without the legend's empty one."""
    points = [collection.get_offsets() for collection in figure.axes[0].collections]
    return [float(one[0, 0]) for one in points if len(one)]


def test_the_chosen_bandwidth_of_each_seed_is_circled() -> None:
    grids = {"seed 0": grid(0.2), "seed 1": grid(0.1)}
    figure = bandwidth_figure(grids, grid(0.3), "title", "footer")
    assert marks(figure) == [0.2, 0.1, 0.3]
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    np.testing.assert_allclose(axes.get_xticks(), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(labelled(axes, "seed 0").get_xdata(), [0.1, 0.2, 0.3])


def test_every_fold_has_its_line_and_one_entry_in_the_legend() -> None:
    figure = bandwidth_figure({"seed 0": grid(0.2, (0, 1))}, grid(0.3, (0, 1)), "title", "footer")
    axes = figure.axes[0]
    assert len(axes.get_lines()) == 4
    (legend,) = figure.legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert entries == ["seed 0", "training images", "chosen"]


def test_each_phase_begins_anew_with_the_first_rate() -> None:
    two = history(0.2, epochs=8, phases=(1, 1, 1, 1, 2, 2, 2, 2))
    by_rate = learning_curves_figure({0: two}, {}, "title", "footer").axes[-1]
    assert [len(np.asarray(line.get_xdata())) for line in by_rate.get_lines()] == [2, 2]


def test_a_line_of_few_points_is_marked_and_a_long_one_is_not() -> None:
    few, many = history(0.2), history(0.2, epochs=100, phases=(1,) * 100)
    for seeds, marker in (({0: few}, "o"), ({0: many}, "None")):
        axes = learning_curves_figure(seeds, {}, "title", "footer").axes
        assert labelled(axes[2], "generator").get_marker() == marker
    gone = learning_curves_figure({}, {0: few}, "title", "footer").axes[2]
    assert {line.get_marker() for line in gone.get_lines()} == {"o"}


def sizes_curve() -> list[Metric]:
    return [
        Metric(
            name="log_likelihood_by_samples", value=n / 100, unit="nats", labels={"n_centers": n}
        )
        for n in (100, 1000, 10_000)
    ]


def test_no_legend_lies_over_curves_titles_nor_beyond_the_figure() -> None:
    with figure_style():
        figures = (
            learning_curves_figure({0: history(0.2)}, {}, "title", "footer"),
            bandwidth_figure({"seed 0": grid(0.2, (0,))}, grid(0.3, (0,)), "title", "footer"),
            samples_curve_figure(sizes_curve(), {"seed 0": sizes_curve()}, "title", "footer"),
        )
        for figure in figures:
            FigureCanvasAgg(figure).draw()
    for figure in figures:
        legends = [axes.get_legend() for axes in figure.axes] + figure.legends
        boxes = [one.get_window_extent() for one in legends if one]
        titles = [axes._left_title.get_window_extent() for axes in figure.axes]
        assert boxes
        for box in boxes:
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 + 1
            assert not any(box.overlaps(title) for title in titles if title.width)
            assert not any(
                box.overlaps(axes.get_window_extent().padded(-2)) for axes in figure.axes
            )


def test_many_seeds_are_drawn_as_quantiles_and_few_one_by_one() -> None:
    many = range(MANY + 1)
    histories = {seed: history(0.2 + seed / 100) for seed in many}
    grids = {f"seed {seed}": grid(0.2, (0,)) for seed in many}
    samples = {f"seed {seed}": sizes_curve() for seed in many}
    figures = (
        learning_curves_figure(histories, histories, "title", "footer"),
        bandwidth_figure(grids, grid(0.3, (0,)), "title", "footer"),
        samples_curve_figure(sizes_curve(), samples, "title", "footer"),
    )
    for figure in figures:
        for axes in figure.axes:
            assert len(axes.get_lines()) <= 5
            assert len(axes.collections) >= 2, "the bands"
    legend = figures[1].legends[0]
    assert legend.get_texts()[0].get_text() == f"median of {len(many)} seeds"
    # Every seed has the same curve, hence its median.
    median = figures[2].axes[0].get_lines()[0]
    assert list(median.get_ydata()) == [metric.value for metric in sizes_curve()]


def test_rates_that_hardly_differ_have_ticks_that_do_not_overlap() -> None:
    figure = learning_curves_figure({0: history(0.2)}, {}, "title", "footer")
    texts = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert texts == ["0.025", "0.05"]
