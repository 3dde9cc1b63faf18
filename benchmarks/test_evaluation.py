"""Likelihoods, samples and minibatches."""

from collections.abc import Callable

import pytest

from ganbench.bench import evaluation_cases
from ganbench.bench.contest import Contest


def test_likelihood(run_contest: Callable[[Contest], None]) -> None:
    run_contest(evaluation_cases.likelihood())


def test_sampling(run_contest: Callable[[Contest], None]) -> None:
    run_contest(evaluation_cases.sampling())


@pytest.mark.parametrize("name", ["mnist", "cifar10_fc"])
def test_loading(name: str, run_contest: Callable[[Contest], None]) -> None:
    run_contest(evaluation_cases.loading(name))
