"""Suites: what they yield, what is refused, and the published records of the shipped ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganbench.config import (
    Suite,
    load,
    load_experiment,
    load_suite,
    suite_experiments,
)
from ganbench.errors import ConfigError
from ganbench.theory.config import TheoryExperiment

from .settings import SETTINGS
from .test_recipes import CONFIGS

SUITE = {
    "name": "tiny",
    "title": "Tiny",
    "experiments": [{"config": "small.yaml", "seeds": [0, 2]}],
}


def test_a_suite_yields_its_experiments(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config, suite = write(SETTINGS), write(SUITE, "suite.yaml")
    ((name, path, actual, seeds),) = suite_experiments(suite)
    assert (name, path, actual.title, seeds) == ("small", config, "small", (0, 2))
    # Paths in the working directory are relative: they appear in commands and messages.
    monkeypatch.chdir(tmp_path)
    assert next(suite_experiments(suite))[1] == Path("small.yaml")


def test_many_seeds_are_one_value_of_the_file(write: Callable[..., Path]) -> None:
    path = write(SUITE | {"experiments": [{"config": "small.yaml", "seeds": "7-3006"}]})
    assert load_suite(path).experiments[0].seeds == tuple(range(7, 3007))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Tiny Suite"}, "name: string should match pattern"),
        ({"experiments": SUITE["experiments"] * 2}, "'small' is listed twice; list its seeds once"),
        (
            {"experiments": [{"config": "small.yaml", "seeds": [1, 1]}]},
            "'small.yaml': seeds: got [1, 1]; give each seed once",
        ),
        (
            {"experiments": [{"config": "small.yaml", "seeds": [-1]}]},
            "experiments: 0: seeds: 0: input should be greater than or equal to 0, got -1",
        ),
        ({"experiments": [{"config": "small.yaml", "seeds": []}]}, "seeds: list should have at"),
        (
            {"experiments": [{"config": "small.yaml", "seeds": 3}]},
            "experiments: 0: seeds: should be a list, got 3; write [3]",
        ),
        (
            {"experiments": [{"config": "small.yaml", "seeds": "9-3"}]},
            "experiments: 0: seeds: give FIRST-LAST, as in 0-99, with at most 100,000 seeds, got "
            "'9-3'; correct it",
        ),
        (
            {"experiments": [{"config": "small.yaml", "seeds": "0-100000"}]},
            "seeds: give FIRST-LAST, as in 0-99, with at most 100,000 seeds, got '0-100000'",
        ),
        (
            {"extends": "other.yaml"},
            "top level: unknown key 'extends'; remove it, or use one of experiments, name, theory",
        ),
    ],
)
def test_a_wrong_suite_is_refused(
    write: Callable[..., Path], change: dict[str, Any], message: str
) -> None:
    path = write(SUITE | change, "suite.yaml")
    with pytest.raises(ConfigError) as error:
        load_suite(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("path", sorted((CONFIGS / "suites").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_suite_loads_with_its_experiments(path: Path) -> None:
    assert load(Suite, path).name == path.stem
    for name, config, actual, seeds in suite_experiments(path):
        assert name == config.stem
        assert actual.title
        assert seeds


@pytest.mark.parametrize("suite", ["mnist_25_epochs", "full_sizes"])
def test_published_records_are_of_the_settings_as_they_are_now(suite: str) -> None:
    published = CONFIGS.parent / "results" / "published" / suite
    for name, _, actual, seeds in suite_experiments(CONFIGS / "suites" / f"{suite}.yaml"):
        for seed in seeds:
            record = json.loads((published / name / f"seed_{seed}" / "evaluate.json").read_text())
            assert record["config_digest"] == actual.digest


def test_no_two_shipped_experiments_have_one_title() -> None:
    """A table would show both as one: a title says what differs."""
    root = Path(__file__).parents[2] / "configs" / "experiments"
    titles: dict[str, str] = {}
    for path in sorted(root.glob("*.yaml")):
        theory = path.stem.startswith("theory_")
        title = (load(TheoryExperiment, path) if theory else load_experiment(path)).title
        assert titles.setdefault(title, path.stem) == path.stem, title
