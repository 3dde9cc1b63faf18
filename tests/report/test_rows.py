import math
from collections.abc import Callable

import pytest

from ganbench.errors import GanbenchError
from ganbench.records import Metric
from ganbench.report.collect import collect
from ganbench.report.table1.rows import Row, one_protocol, table_rows

from .synthetic import SIGMAS, Synthetic

Write = Callable[..., Synthetic]
T_2, T_1 = 4.302652729911275, 12.706204736432095  # t(df, 0.975)


def rows_of(suite: Synthetic) -> list[Row]:
    return table_rows(collect(suite.config, suite.results))


def only(rows: list[Row], experiment: str, source: str) -> Row:
    (row,) = (row for row in rows if row.experiment == experiment and source in row.source)
    return row


def test_three_seeds(synthetic: Write) -> None:
    scores = {("mnist", 0): 218.0, ("mnist", 1): 221.0, ("mnist", 2): 227.0}
    row = only(rows_of(synthetic({"mnist": (0, 1, 2)}, scores=scores)), "mnist", "last")
    assert row.log_likelihood == pytest.approx(222.0)
    half = T_2 * math.sqrt((4**2 + 1**2 + 5**2) / 2) / math.sqrt(3)
    assert row.interval == pytest.approx((222.0 - half, 222.0 + half))
    assert (row.seeds_run, row.seeds_finished, row.seeds_diverged) == (3, 3, 0)
    assert (row.standard_error, row.error_over) == (2.0, "test images")
    assert (row.status, row.epochs) == ("ok", (2000, 2000))


def test_best_validation_is_a_row_of_its_own(synthetic: Write) -> None:
    row = only(rows_of(synthetic({"mnist": (0, 1)})), "mnist", "best validation")
    assert row.log_likelihood == pytest.approx(203.5)
    assert row.epochs == (1998, 1999)


def test_an_earlier_reported_epoch_is_a_row_of_its_own(synthetic: Write) -> None:
    row = only(rows_of(synthetic({"mnist": (0, 1)})), "mnist", "after 1,000 epochs")
    assert row.log_likelihood == pytest.approx(180.5)
    assert row.epochs == (1000, 1000)


def test_one_seed_has_no_interval(synthetic: Write) -> None:
    row = only(rows_of(synthetic({"mnist": (0,)})), "mnist", "last")
    assert row.log_likelihood == 200.0
    assert row.interval is None


def test_a_diverged_seed_is_counted_and_flagged(synthetic: Write) -> None:
    suite = synthetic(
        {"mnist": (0, 1, 2)},
        scores={("mnist", 0): 218.0, ("mnist", 2): 222.0},
        statuses={("mnist", 1): "diverged"},
    )
    row = only(rows_of(suite), "mnist", "last")
    assert row.status == "1 of 3 seeds diverged"
    assert (row.seeds_run, row.seeds_finished, row.seeds_diverged) == (3, 2, 1)
    half = T_1 * math.sqrt(8) / math.sqrt(2)
    assert row.log_likelihood == 220.0
    assert row.interval == pytest.approx((220.0 - half, 220.0 + half))


def test_all_diverged_has_no_number(synthetic: Write) -> None:
    statuses = {("digits", 0): "diverged", ("digits", 1): "diverged"}
    rows = rows_of(synthetic({"digits": (0, 1)}, statuses=statuses))
    row = only(rows, "digits", "last")
    assert row.status == "2 of 2 seeds diverged"
    assert row.log_likelihood is row.interval is row.sigma is None
    assert only(rows, "digits", "training images").log_likelihood == 240.0


def test_missing_data_has_no_number(synthetic: Write) -> None:
    rows = rows_of(synthetic({"tfd": (0,)}, unavailable=("tfd",)))
    ours = [row for row in rows if row.experiment == "tfd"]
    assert len(ours) == 3  # of the samplers that learn nothing, one says why
    assert {row.status for row in ours} == {"data not available"}
    assert {row.log_likelihood for row in ours} == {None}
    assert ours[0].seeds_run == 0


def test_five_folds(synthetic: Write) -> None:
    row = only(rows_of(synthetic({"tfd": (0,)})), "tfd", "last")
    assert (row.standard_error, row.error_over) == (26.0, "folds")
    assert row.sigma == pytest.approx((SIGMAS[2], SIGMAS[3]))


def test_a_bandwidth_at_the_edge_of_the_grid_is_marked(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    path = suite.record_path("digits", 0, "evaluate")
    text = path.read_text()
    path.write_text(text.replace('"sigma_at_grid_edge": 0', '"sigma_at_grid_edge": 1', 1))
    rows = rows_of(suite)
    assert only(rows, "digits", "last").sigma_at_grid_edge
    assert not only(rows, "digits", "best validation").sigma_at_grid_edge


def test_the_papers_rows_stand_only_beside_their_data(synthetic: Write) -> None:
    seeds = {"mnist": (0,), "mnist_normal": (0,), "tfd": (0,), "faces48": (0,), "digits": (0,)}
    rows = rows_of(synthetic(seeds))
    published = [(number, row) for number, row in enumerate(rows) if row.kind == "published"]
    assert [row.experiment for _, row in published] == ["MNIST"] * 4 + ["TFD"] * 4
    # For each experiment two states of ours, of MNIST four earlier ones, and five baselines.
    assert [number for number, _ in published] == [0, 1, 2, 3, 26, 27, 28, 29]
    assert [row.protocol for _, row in published] == [None, None, None, "gan2014"] * 2
    assert published[3][1].log_likelihood == 225
    assert published[7][1].error_over == "folds"
    assert [row.experiment for row in rows[30:]] == ["tfd"] * 7 + ["faces48"] * 7 + ["digits"] * 7


def test_what_learns_nothing_stands_below_under_its_own_protocol(synthetic: Write) -> None:
    rows = rows_of(synthetic({"digits": (0,)}))
    actual = {row.source: row for row in rows if row.kind == "baseline"}
    assert list(actual) == [
        "baseline: training images",
        "baseline: 1,000 k-means centres",
        "baseline: 10,000 k-means centres",
        "baseline: Gaussian of the pixels",
        "baseline: uniform noise",
    ]
    assert actual["baseline: 1,000 k-means centres"].protocol == "gan2014_1000_centers"
    assert actual["baseline: uniform noise"].log_likelihood == -560.0
    images = actual["baseline: training images"]
    # The row is the protocol's one draw; the other stands below.
    assert (images.protocol, images.log_likelihood) == ("gan2014", 240.0)
    assert images.seed_values == (240.0, 240.5)


def test_the_grids_penalty_is_that_of_the_state(synthetic: Write) -> None:
    rows = rows_of(synthetic({"mnist": (0, 1)}))
    assert only(rows, "mnist", "last").grid_penalty == pytest.approx(3.25)


def test_older_records_have_no_penalty(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    path = suite.record_path("digits", 0, "evaluate")
    path.write_text(path.read_text().replace("grid_penalty", "something_else"))
    assert only(rows_of(suite), "digits", "last").grid_penalty is None


def test_scores_of_different_protocols_do_not_mix() -> None:
    scores = [
        Metric(name="log_likelihood", value=1.0, unit="nats", labels={"protocol": name})
        for name in ("gan2014", "fine")
    ]
    assert one_protocol(scores[:1], "MNIST") == "gan2014"
    message = "MNIST: scores of the protocols fine and gan2014 cannot be compared; evaluate all"
    with pytest.raises(GanbenchError, match=message):
        one_protocol(scores, "MNIST")
