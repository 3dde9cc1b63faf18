"""Tables and figures beyond likelihood, from made-up records."""

import csv
import math
from pathlib import Path

import pytest

from ganbench.config import load_experiment
from ganbench.errors import GanbenchError
from ganbench.evaluation.measures import MEASURES
from ganbench.records import Metric, Provenance, Record
from ganbench.report.sample_metrics import build as scores
from ganbench.report.sample_metrics import outputs as score_outputs
from ganbench.report.sample_metrics.cells import cell
from ganbench.report.sample_metrics.intervals import interval_of, with_chance

ROOT = Path(__file__).parents[2]

DIGITS = ROOT / "configs/experiments/digits.yaml"
DIGITS_SETTINGS = load_experiment(DIGITS)
SAMPLERS = (
    {"source": "model", "seed": 0, "checkpoint": "last"},
    {"source": "held_out_images"},
)
PROVENANCE = Provenance(
    code_digest="code",
    git_commit="0" * 40,
    git_dirty=False,
    versions={},
    device="CPU",
    threads=1,
    impl="reference",
    precision="float32",
    started_at="2025-01-01T00:00:00+00:00",
    wall_time_s=1.0,
)


def metrics() -> list[Metric]:
    """Every measure of two samplers; MMD at two bandwidths."""
    actual = []
    for place, labels in enumerate(SAMPLERS):
        for number, (name, measure) in enumerate(MEASURES.items()):
            value = place + number / 100
            one = Metric(name=name, value=value, unit=measure.unit, n=5, labels=labels)
            if name == "copied_share":
                # A collapsed sampler's: nothing is known of it.
                one = one.model_copy(update={"value": -4.0, "standard_error": 4.5})
            if name in ("precision", "recall", "squared_mmd"):
                one = one.model_copy(update={"interval": (value - 0.25, value + 0.5)})
            if name == "squared_mmd":
                other = labels | {"bandwidth": 0.5}
                actual.append(one.model_copy(update={"value": 99.0, "labels": other}))
                one = one.model_copy(update={"labels": labels | {"bandwidth": 1.0}})
            actual.append(one)
    return actual


class Suite:
    """A suite of the digits and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "suite.yaml"
        self.config.write_text(
            f"name: s\ntitle: s\nexperiments:\n  - {{config: {DIGITS}, seeds: [0]}}\n"
        )

    def write(self, **changes: object) -> None:
        experiment = load_experiment(DIGITS)
        content = {
            "stage": "sample_metrics",
            "suite": "s",
            "experiment": "digits",
            "config": {},
            "config_digest": experiment.digest,
            "metrics": metrics(),
            "provenance": PROVENANCE,
        }
        Record(**(content | changes)).write(self.folder / "digits" / "sample_metrics.json")

    def build(self) -> list:
        out = self.folder / "report"
        out.mkdir(exist_ok=True)
        return scores.build(self.config, self.folder, out)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_every_measure_has_its_column_in_one_table(suite: Suite) -> None:
    suite.write()
    tables = suite.build()
    headings = [column for table in tables for column in table.columns[2:]]
    assert len(headings) == len(MEASURES)
    for measure in MEASURES.values():
        assert sum(heading.startswith(measure.title) for heading in headings) >= 1
    for table in tables:
        assert [row[:2] for row in table.rows] == [
            ("digits 8 x 8", "ours: seed 0"),
            ("digits 8 x 8", "baseline: held-out training images"),
        ]


def test_the_files_are_those_that_are_named(suite: Suite) -> None:
    suite.write()
    suite.build()
    written = {path.name for path in (suite.folder / "report").iterdir()}
    assert written == set(score_outputs.outputs(suite.config))
    assert score_outputs.shown(suite.config).keys() < written
    for entry in score_outputs.shown(suite.config).values():
        assert "{{ snakemake.rule }}" in (ROOT / entry["caption"]).read_text()


def test_cells_hold_the_value_of_the_median_bandwidth_and_its_interval(suite: Suite) -> None:
    suite.write()
    table = next(table for table in suite.build() if "MMD²" in table.columns)
    number = list(MEASURES).index("squared_mmd") / 100
    shown = table.rows[0][table.columns.index("MMD²")]
    assert shown == f"{number:.4f} ({number - 0.25:.4f} to {number + 0.5:.4f})"


def test_the_csv_has_every_bandwidth(suite: Suite) -> None:
    suite.write()
    suite.build()
    with open(suite.folder / "report" / "scores_two_samples.csv") as file:
        rows = list(csv.DictReader(file))
    actual = [row for row in rows if row["name"] == "squared_mmd"]
    number = list(MEASURES).index("squared_mmd") / 100
    assert [(row["bandwidth"], float(row["value"])) for row in actual[:2]] == [
        ("0.5", 99.0),
        ("1.0", pytest.approx(number)),
    ]
    assert float(actual[1]["interval_low"]) == pytest.approx(number - 0.25)
    assert (actual[1]["n"], actual[1]["unit"]) == ("5", "1")


def test_measures_that_the_data_do_not_allow_are_dashes(suite: Suite) -> None:
    absent = {"class_divergence", "classes_hit", "classifier_accuracy"}
    suite.write(metrics=[one for one in metrics() if one.name not in absent])
    table = next(table for table in suite.build() if "Classes hit" in table.columns)
    assert table.rows[0][-3:] == ("-", "-", "-")


def test_what_was_never_scored_is_left_out(suite: Suite) -> None:
    assert suite.build() == []
    assert not list((suite.folder / "report").glob("scores_*"))


def test_what_is_missing_is_said(suite: Suite) -> None:
    suite.write(status="data_not_available", metrics=[])
    for table in suite.build():
        assert [row[1] for row in table.rows] == ["data not available"]
    assert (suite.folder / "report" / "scores_digits.svg").stat().st_size > 0


def test_other_settings_are_refused(suite: Suite) -> None:
    suite.write(config_digest="other")
    with pytest.raises(GanbenchError, match=r"sample_metrics\.json: was made with other settings"):
        suite.build()


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric(name="precision", value=0.25, unit="1", standard_error=0.1), "0.250 ± 0.100"),
        (
            Metric(name="recall", value=0.25, unit="1", interval=(0.0, 0.5)),
            "0.250 (0.000 to 0.500)",
        ),
        (Metric(name="classes_hit", value=9, unit="classes"), "9"),
        (
            Metric(name="collapse_share", value=0.4, unit="1", labels={"collapsed": 1}),
            "0.400 COLLAPSED",
        ),
        (Metric(name="collapse_share", value=0.01, unit="1", labels={"collapsed": 0}), "0.010"),
        (Metric(name="log_likelihood", value=225.04, unit="nats", standard_error=2), "225.0 ± 2.0"),
    ],
)
def test_cells(metric: Metric, expected: str) -> None:
    assert cell(metric) == expected


def test_an_interval_of_a_share_stays_within_0_and_1() -> None:
    # Records of small test sets ran from -.28 to 1.08.
    wide = Metric(
        name="precision", value=0.4, unit="1", standard_error=0.245, interval=(-0.28, 1.08), n=5
    )
    low, high = interval_of(wide) or (math.nan, math.nan)
    assert 0 < low < 0.4 < high < 1
    assert cell(wide) == f"0.400 ({low:.3f} to {high:.3f})"
    # MMD has no such range: unbiased, it may be negative.
    mmd = wide.model_copy(update={"name": "squared_mmd"})
    assert interval_of(mmd) == (-0.28, 1.08)


# Newcombe, Statistics in Medicine 17 (1998), 857-872, table I: Wilson's score method, to 4 digits.
NEWCOMBE = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611)}


@pytest.mark.parametrize(("count", "expected"), NEWCOMBE.items())
def test_a_plain_share_has_wilsons_interval(
    count: tuple[int, int], expected: tuple[float, float]
) -> None:
    share, n = count[0] / count[1], count[1]
    error = (share * (1 - share) / n) ** 0.5
    for name in ("near_duplicates", "exact_duplicates"):
        metric = Metric(name=name, value=share, unit="1", standard_error=error, n=n)
        assert interval_of(metric) == pytest.approx(expected, abs=5e-5)
    bins = Metric(
        name="different_bins",
        value=share,
        unit="1",
        standard_error=error,
        n=9,
        labels={"bins": n},
    )
    assert interval_of(bins) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_0_or_1_has_an_interval_with_a_width(value: float) -> None:
    ends = (value, value)
    blocks = Metric(
        name="recall",
        value=value,
        unit="1",
        standard_error=0.0,
        interval=ends,
        n=5,
        labels={"points": 2000},
    )
    # Wilson's at the end of the range: z^2 / (n + z^2) off it.
    width = 1.959964**2 / (10_000 + 1.959964**2)
    expected = (max(0.0, value - width), min(1.0, value + width))
    assert interval_of(blocks) == pytest.approx(expected, abs=1e-9)
    low, high = (f"{end:.4f}" for end in expected)
    assert cell(blocks) == f"{value:.4f} ({low} to {high})"


def copied(value: float, error: float, n: int = 10_000, chance: float = 5 / 6) -> Metric:
    labels = {"source": "model", "chance": chance}
    return Metric(
        name="copied_share", value=value, unit="1", standard_error=error, n=n, labels=labels
    )


def test_of_samples_that_are_one_image_the_copied_share_is_hardly_known() -> None:
    # One observation: 0 or 1 of 1 by Wilson's formula, .2065 to 1 or its mirror image.
    end = 1 / (1 + 1.959964**2)
    low, high = interval_of(copied(1.0, 1.0)) or (math.nan, math.nan)
    assert (low, high) == (pytest.approx((end - 5 / 6) * 6, abs=1e-6), pytest.approx(1))
    low, high = interval_of(copied(-5.0, 5.0)) or (math.nan, math.nan)
    assert (low, high) == (pytest.approx(-5), pytest.approx((1 - end - 5 / 6) * 6, abs=1e-6))
    assert cell(copied(1.0, 1.0)) == "1.00 (-3.76 to 1.00)"


def test_the_interval_of_a_copied_share_in_the_middle_is_about_that_of_its_error() -> None:
    # 10,000 samples of different images: share y of the nearest are training images.
    for value in (0.0, 0.1, 0.5):
        y = 5 / 6 + value / 6
        spread = (y * (1 / 6) ** 2 + (1 - y) * (5 / 6) ** 2) ** 0.5 / 100 * 6
        low, high = interval_of(copied(value, spread)) or (math.nan, math.nan)
        binomial = 6 * 1.96 * (y * (1 - y)) ** 0.5 / 100
        assert (high - low) / 2 == pytest.approx(binomial, rel=0.01)
        assert low < value < high <= 1


def test_a_record_says_how_often_the_nearest_image_is_a_training_image_by_chance() -> None:
    gap = Metric(name="parzen_gap", value=1.0, unit="nats", standard_error=1.0, n=20_000)
    bare = copied(0.5, 0.1).model_copy(update={"labels": {"source": "model"}})
    assert interval_of(bare) is None
    known, _ = with_chance([bare, gap], "mnist")
    assert known.labels == {"source": "model", "chance": pytest.approx(50_000 / 60_000)}


def test_no_bar_leaves_its_panel(suite: Suite) -> None:
    suite.write()
    record = scores._read(suite.folder / "digits" / "sample_metrics.json", DIGITS, DIGITS_SETTINGS)
    figure = scores.scores_figure(scores.Scored("digits", DIGITS_SETTINGS, record))
    figure.draw_without_rendering()
    for axes in figure.axes:
        (low, high), drawn = axes.get_xlim(), axes.dataLim
        assert low <= drawn.x0, axes.get_title(loc="left")
        assert drawn.x1 <= high, axes.get_title(loc="left")
