"""Times calls side by side in random order, so that machine noise affects all of them alike."""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
SHORTEST_SAMPLE_S = 2e-3


class Ratio(NamedTuple):
    """How many times as long a rival takes; above 1 means that ours is faster."""

    ratio: float
    low: float  # 95 % bootstrap interval of the median over rounds
    high: float


def interleaved(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    sample_s: float = SHORTEST_SAMPLE_S,
) -> dict[str, list[float]]:
    """Times calls in rounds, each round in an order of its own.

    Short calls are repeated inside a sample, so that the clock's steps do not show.

    Args:
        calls: by name; each is called once before, to warm up.
        rounds: samples of each call.
        clock: seconds; processor time by default, which other processes do not add to.
        sample_s: shortest time of consecutive calls that makes a sample.

    Returns:
        Seconds of one call, by name and round.
    """
    repeats = {name: _repeats(call, clock, sample_s) for name, call in calls.items()}
    order, shuffle = list(calls), random.Random(0).shuffle
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = clock()
            for _ in range(repeats[name]):
                calls[name]()
            samples[name].append((clock() - start) / repeats[name])
    return samples


def ratio(ours: list[float], rival: list[float]) -> Ratio:
    """Returns the median over rounds of rival / ours with its bootstrap interval."""
    ratios = np.array(rival) / np.array(ours)
    draws = np.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return Ratio(statistics.median(ratios.tolist()), float(low), float(high))


def ratio_of_medians(ours: list[float], rival: list[float]) -> Ratio:
    """Returns median rival / median ours over the rounds, with its bootstrap interval.

    It is the ratio of the two times that a table prints, so that the columns agree; rounds are
    drawn whole, since what slows the machine in one slows both.
    """
    times = np.array([ours, rival])
    draws = np.random.default_rng(0).integers(0, times.shape[1], (RESAMPLES, times.shape[1]))
    own, theirs = np.median(times[:, draws], axis=2)
    low, high = np.quantile(theirs / own, (0.025, 0.975))
    return Ratio(statistics.median(rival) / statistics.median(ours), float(low), float(high))


def _repeats(call: Callable[[], object], clock: Callable[[], float], sample_s: float) -> int:
    call()
    start = clock()
    call()
    return max(1, round(sample_s / max(clock() - start, 1e-7)))
