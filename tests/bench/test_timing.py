"""Interleaved timing: counts, order, and the ratio's interval."""

import itertools

from ganbench.bench.timing import interleaved, ratio, ratio_of_medians


def test_ratio_of_known_times() -> None:
    actual = ratio([1.0, 2.0, 4.0], [2.0, 4.0, 8.0])
    assert actual == (2.0, 2.0, 2.0)


def test_interval_holds_the_median_and_widens_with_noise() -> None:
    ours, rival = [1.0] * 9, [1.1, 1.3, 1.2, 1.0, 1.4, 1.2, 1.3, 1.1, 1.2]
    actual = ratio(ours, rival)
    assert 1.0 <= actual.low < actual.ratio == 1.2 < actual.high <= 1.4


def test_the_ratio_of_medians_is_that_of_the_printed_times() -> None:
    # The median of the rounds' ratios is 0.5, against what both columns show.
    ours, rival = [1.0, 4.0, 2.0], [2.0, 2.0, 1.0]
    assert ratio(ours, rival).ratio == 0.5
    actual = ratio_of_medians(ours, rival)
    assert actual.ratio == 1.0
    assert actual.low <= 1.0 <= actual.high
    assert ratio_of_medians([1.0, 2.0], [3.0, 6.0]) == (3.0, 3.0, 3.0)


def test_every_call_is_sampled_in_every_round() -> None:
    ticks = itertools.count()
    called = []
    calls = {name: lambda name=name: called.append(name) for name in "ab"}
    samples = interleaved(calls, rounds=5, clock=lambda: float(next(ticks)))
    # The clock moves on by one at each look: every sample takes one tick.
    assert samples == {"a": [1.0] * 5, "b": [1.0] * 5}
    # Two warm-up calls of each, then one sample a round.
    assert sorted(called) == sorted("ab" * 7)
    assert len({tuple(called[i : i + 2]) for i in range(4, 14, 2)}) == 2
