"""The theory section: every promised file, the two tables, and refusals."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy import stats

from ganbench.config import load
from ganbench.errors import GanbenchError
from ganbench.records import read_record
from ganbench.report.table1.claims import CLAIMS, BoundClaim, Claims
from ganbench.report.theory import build as theory
from ganbench.report.theory import tables as theory_tables
from ganbench.report.theory.outputs import CAPTIONS, outputs, shown, theory_experiments
from ganbench.theory.targets import target

SUITES = Path(__file__).parents[2] / "configs" / "suites"
WIDEST = 1200  # pixels of a picture


@pytest.fixture(scope="module")
def section(small_suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("section")
    return folder, theory.build(small_suite, small_suite.parent / "results", folder)


def test_the_section_has_exactly_the_promised_files(small_suite, section):
    assert sorted(path.name for path in section[0].iterdir()) == sorted(outputs(small_suite))


def test_pictures_are_not_too_wide_and_the_animation_moves(section):
    pictures = list(section[0].glob("*.png"))
    assert pictures
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width <= WIDEST
    with Image.open(section[0] / "figure1.gif") as animation:
        assert animation.n_frames > 1
        assert animation.width <= WIDEST


def test_letters_have_seven_points_or_more(section):
    # Matplotlib draws letters as paths of 100 points, and scales them to the size of the font.
    for path in section[0].glob("*.svg"):
        sizes = re.findall(r"scale\((0\.\d+) -0\.\d+\)", path.read_text())
        assert sizes
        assert 100 * min(map(float, sizes)) >= 7 - 1e-6, path.name


def test_everything_shown_has_a_caption_and_is_written(small_suite, section, pytestconfig):
    for name, arguments in shown(small_suite).items():
        assert (section[0] / name).is_file()
        caption = (pytestconfig.rootpath / arguments["caption"]).read_text()
        assert arguments["caption"].startswith(CAPTIONS)
        assert "Rule: {{ snakemake.rule }}." in caption


def test_statements_carry_the_record_and_say_what_does_not_hold(small_suite, section):
    frame = pd.read_csv(section[0] / "theory_statements.csv")
    path = small_suite.parent / "results" / "identities" / "theory.json"
    claims = [m for m in read_record(path).metrics if "bound" in m.labels]
    rows = frame[frame["experiment"] == "Identities"]
    assert rows["measured"].tolist() == pytest.approx([claim.value for claim in claims])
    assert rows["holds"].all()
    # six updates do not bring a game to its end
    assert not frame.loc[frame["statement"].str.startswith("Figure 1: C(G)"), "holds"].all()
    words = (section[0] / "theory_statements.md").read_text()
    assert "| NO" in words
    assert r"largest \|D - D*\| after training" in words  # bars would split the cell


@pytest.mark.parametrize("kind", ["objectives", "image_objectives"])
def test_a_table_says_what_its_experiment_notes(section, kind):
    assert "Cut to seconds." in (section[0] / f"{kind}.md").read_text()


def test_simultaneous_interval_is_bonferroni_on_student_t():
    values = [1.0, 2.0, 4.0, 5.0]
    actual = theory_tables.simultaneous_interval(values, comparisons=10)
    low, high = stats.t.interval(1 - 0.05 / 10, 3, 3.0, stats.sem(values))
    assert (actual.mean, actual.low, actual.high) == pytest.approx((3.0, low, high))


def test_intervals_of_what_has_a_range_stay_within_it(small_suite):
    record = read_record(small_suite.parent / "results" / "objectives" / "theory.json")
    frame, ranges = theory_tables.scores(record), theory_tables.score_ranges(record)
    # A collapsed seed beside a good one: mean +- t SE would run to -45 and 53 of 8 modes.
    frame["modes"], frame["good_share"] = frame["seed"] * 7.0 + 0.5, 0.05 + 0.9 * frame["seed"]
    for name, (low, high) in ranges.items():
        rows = theory_tables.summary(frame, [name], ranges)
        ends = rows.loc[rows["minus"] == "", [f"{name}_low", f"{name}_high"]].to_numpy()
        assert low <= ends.min() < ends.max() <= high, name


def test_the_targets_have_as_many_modes_as_tables_say():
    for name, modes in theory_tables.MODES.items():
        assert len(target(name, 0.1).centres) == modes


def test_differences_are_paired_by_seed_and_leave_out_diverged_seeds(small_suite):
    record = read_record(small_suite.parent / "results" / "objectives" / "theory.json")
    frame, names = theory_tables.scores(record), theory_tables.score_names(record)
    rows = theory_tables.summary(frame, names, {}).set_index(["setting", "minus"])
    first, second = frame["setting"].cat.categories[:2]
    own, base = (
        frame[frame["setting"] == name].set_index("seed")["wasserstein"] for name in (second, first)
    )
    expected = stats.t.interval(1 - 0.05 / 2, 1, (own - base).mean(), stats.sem(own - base))
    row = rows.loc[(second, first)]
    assert (row["wasserstein_low"], row["wasserstein_high"]) == pytest.approx(expected)
    frame.loc[(frame["setting"] == second) & (frame["seed"] == 0), ["wasserstein", "diverged"]] = [
        math.nan,
        1.0,
    ]
    left = theory_tables.summary(frame, names, {}).set_index(["setting", "minus"]).loc[(second, "")]
    assert (left["seeds"], left["diverged"]) == (2, 1)
    assert math.isnan(left["wasserstein"])


def test_a_record_of_other_settings_is_refused(small_suite, tmp_path):
    content = yaml.safe_load((small_suite.parent / "descent.yaml").read_text())
    content["study"]["steps"] += 1
    (tmp_path / "descent.yaml").write_text(yaml.safe_dump(content))
    entry = {"config": "descent.yaml", "seeds": [0, 1]}
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "small", "title": "Small", "theory": [entry]}))
    with pytest.raises(GanbenchError, match=r"was made with other settings .*run its stage again"):
        theory.build(suite, small_suite.parent / "results", tmp_path)


def test_a_suite_without_theory_has_no_section(tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "none", "title": "None"}))
    assert outputs(suite) == []
    assert shown(suite) == {}
    assert theory.build(suite, tmp_path, tmp_path) == []


def test_every_metric_that_a_claim_names_is_emitted_by_a_shipped_experiment(small_suite):
    """A renamed metric would make a claim that holds "not run"."""
    suites = SUITES.glob("*.yaml")
    shipped = {one.study.kind for path in suites for _, _, one, _ in theory_experiments(path)}
    emitted = {
        metric.name
        for kind in shipped
        for metric in read_record(small_suite.parent / "results" / kind / "theory.json").metrics
        if "bound" in metric.labels
    }
    claims = [one for one in load(Claims, CLAIMS).claims if isinstance(one, BoundClaim)]
    assert {one.id: set(one.metrics) - emitted for one in claims} == {
        one.id: set() for one in claims
    }
