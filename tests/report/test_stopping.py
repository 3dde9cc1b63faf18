from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from ganbench.report.collect import collect
from ganbench.report.table1.stopping import stopping_epoch, stopping_notes

from .synthetic import Synthetic


def history(curve: Mapping[int, float | None]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": list(curve), "validation_log_likelihood": list(curve.values())})


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (198.1, None),  # within one per cent of the best, if below it
        (197.9, 150),  # a hundred epochs after the best
    ],
)
def test_only_a_fall_of_more_than_one_per_cent_counts(later: float, expected: int | None) -> None:
    curve = {10: 100.0, 50: 200.0, 60: None} | dict.fromkeys(range(100, 401, 25), later)
    assert stopping_epoch(history(curve)) == expected


def test_a_good_epoch_starts_the_count_anew() -> None:
    curve = {50: 200.0, 140: 199.0} | dict.fromkeys(range(150, 401, 10), 100.0)
    assert stopping_epoch(history(curve)) == 240


def test_a_negative_likelihood_must_rise_by_one_per_cent() -> None:
    """Where the monitored value is positive, 0.99 of the best is a value to improve on."""
    curve = {10: -100.0} | dict.fromkeys(range(60, 401, 10), -99.5)
    assert stopping_epoch(history(curve)) == 110


def test_the_note_names_each_seed(synthetic: Callable[..., Synthetic]) -> None:
    suite = synthetic({"mnist": (0, 1), "digits": (0,)})
    results, short = collect(suite.config, suite.results)
    (note,) = stopping_notes(results)
    assert note.startswith("MNIST, epochs after which the stopping rule")
    assert "seed 0 " in note
    assert "seed 1 " in note
    assert stopping_notes(short) == []
