from ganbench.published import ERROR_OVER, GAN2014, RESULTS, PublishedResult, table1


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
        assert all(row.reread and row.place == "Table 1" for row in rows)


def test_every_row_is_told_once() -> None:
    identities = [(row.source, row.column, row.model) for row in RESULTS]
    assert len(set(identities)) == len(identities)
    assert set(ERROR_OVER) == {row.column for row in RESULTS}


def test_what_was_not_read_again_says_so() -> None:
    doubtful = {row.model for row in RESULTS if not row.reread}
    assert doubtful == {"GMMN", "GMMN + autoencoder", "True distribution", "k-means centres"}
    for row in RESULTS:
        assert row.citation.endswith("(not re-read)") != row.reread


def test_citation_names_the_table() -> None:
    row = PublishedResult("MNIST", "m", 1.0, None, GAN2014, "Table 1", True)
    assert row.citation == "Goodfellow et al. 2014, arXiv 1406.2661, Table 1"
