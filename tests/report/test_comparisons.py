"""Configurations compared over seeds, or refused."""

from collections.abc import Callable

import pytest

from ganbench.errors import GanbenchError
from ganbench.report.collect import collect
from ganbench.report.statistics import paired, welch
from ganbench.report.table1.comparisons import compare, comparison_table

from .synthetic import Synthetic

Write = Callable[..., Synthetic]
UNIFORM, NORMAL = (218.0, 221.0, 227.0), (219.0, 225.0, 226.0)


@pytest.fixture
def suite(synthetic: Write) -> Synthetic:
    scores = {("mnist", seed): value for seed, value in enumerate(UNIFORM)}
    scores |= {("mnist_normal", seed): value for seed, value in enumerate(NORMAL)}
    return synthetic(
        {"mnist": (0, 1, 2), "mnist_normal": (0, 1, 2), "digits": (0, 1)}, scores=scores
    )


def under_another_protocol(suite: Synthetic) -> None:
    for seed in range(3):
        path = suite.record_path("mnist_normal", seed, "evaluate")
        head, scores, rest = path.read_text().partition('"metrics"')
        path.write_text(head + scores + rest.replace('"gan2014"', '"fine"'))


def test_two_noises_on_the_same_data(suite: Synthetic) -> None:
    uniform, normal, _ = collect(suite.config, suite.results)
    actual = compare(uniform, normal)
    assert actual.welch == welch(UNIFORM, NORMAL)
    assert actual.paired == paired(UNIFORM, NORMAL)
    table, csv = comparison_table([uniform, normal])
    ((first, second, by_welch, by_pairs, p),) = table.rows
    assert (first, second, p) == ("MNIST", "MNIST, normal noise", "too few seeds")
    assert by_welch.startswith("+1.3 [")
    assert by_pairs.endswith("(3 and 3 seeds)")
    assert csv.count("\n") == 3


def test_other_data_are_not_compared(suite: Synthetic) -> None:
    table, _ = comparison_table(collect(suite.config, suite.results))
    assert [row[:2] for row in table.rows] == [("MNIST", "MNIST, normal noise")]


def test_other_protocols_are_refused_and_the_table_says_so(suite: Synthetic) -> None:
    under_another_protocol(suite)
    uniform, normal, _ = collect(suite.config, suite.results)
    message = (
        "MNIST and MNIST, normal noise: scores of the protocols fine and gan2014 cannot be "
        "compared; evaluate all under one"
    )
    with pytest.raises(GanbenchError, match=message):
        compare(uniform, normal)
    table, csv = comparison_table([uniform, normal])
    assert table.rows[0][2:] == (message, "-", "-")
    assert csv.count("\n") == 1


def test_a_p_value_needs_six_seeds(synthetic: Write) -> None:
    seeds = tuple(range(6))
    scores = {("mnist", seed): 200.0 + seed**2 for seed in seeds}
    suite = synthetic({"mnist": seeds, "mnist_normal": seeds}, scores=scores)
    table, _ = comparison_table(collect(suite.config, suite.results))
    assert table.rows[0][4].startswith("Welch 0.")
    assert "; paired 0." in table.rows[0][4]
