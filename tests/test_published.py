from ganbench.published import ERROR_OVER, RESULTS, table1


def test_table1_as_printed() -> None:
    # Typed from Table 1 of arXiv 1406.2661 a second time.
    printed = {
        "MNIST": [(138.0, 2.0), (121.0, 1.6), (214.0, 1.1), (225.0, 2.0)],
        "TFD": [(1909.0, 66.0), (2110.0, 50.0), (1890.0, 29.0), (2057.0, 26.0)],
    }
    models = ["DBN", "Stacked CAE", "Deep GSN", "Adversarial nets"]
    for column, numbers in printed.items():
        rows = table1(column)
        assert [(row.log_likelihood, row.standard_error) for row in rows] == numbers
        assert [row.model.partition(" (")[0] for row in rows] == models


def test_every_row_is_told_once() -> None:
    identities = [(row.column, row.model) for row in RESULTS]
    assert len(set(identities)) == len(identities)
    assert set(ERROR_OVER) == {row.column for row in RESULTS}
