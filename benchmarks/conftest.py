"""A contest becomes a benchmark: its ratios and intervals in `extra_info`, ours as the time."""

from collections.abc import Callable
from typing import Any

import pytest

from ganbench.bench.contest import Contest, measure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rivals' own libraries may warn as they like."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"))


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Keeps what a number may depend on, and not the names of a machine and of a folder."""
    for part, names in (("machine_info", ("node", "release")), ("commit_info", ("project",))):
        for name in names:
            output_json[part].pop(name, None)


@pytest.fixture
def run_contest(benchmark: Any) -> Callable[[Contest], None]:
    def run(contest: Contest) -> None:
        benchmark.extra_info.update(measure(contest))
        benchmark.pedantic(contest.ours, rounds=contest.rounds, warmup_rounds=1)

    return run
