"""The shipped experiments against the paper, and variants against what they vary."""

from pathlib import Path
from typing import Any

import pytest

from ganbench.catalogue import DATASETS
from ganbench.config import (
    load_experiment,
)

CONFIGS = Path(__file__).parents[2] / "configs"
# Theory experiments have settings of their own.
SHIPPED = sorted(
    path for path in (CONFIGS / "experiments").glob("*.yaml") if not path.stem.startswith("theory")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_experiment_loads(path: Path) -> None:
    assert load_experiment(path).dataset in DATASETS


def linear(units: int, activation: str = "linear", irange: float = 0.05, bias: Any = 0.0) -> tuple:
    return ("linear", units, activation, irange, None, bias)


def sparse(units: int, activation: str, weights: int, bias: Any) -> tuple:
    return ("linear", units, activation, None, weights, bias)


def maxout(units: int) -> tuple:
    return ("maxout", units, 5, 0.005)


def convolution(channels: int, kernel: int, padding: int, pool: int) -> tuple:
    return ("convolutional_maxout", channels, 2, kernel, padding, pool, 2, 0.005)


LOGIT = linear(1, "linear", 0.005)
# The table of the networks in the reference, row by row; layers in the order of their fields.
PAPER = {
    "mnist": {
        "dataset": ("mnist", "unit_interval"),
        "noise": ("uniform", 100),
        "generator": [
            linear(1200, "relu"),
            linear(1200, "relu"),
            linear(784, "sigmoid", 0.05, "marginals"),
        ],
        "discriminator": [maxout(240), maxout(240), LOGIT],
        "optimiser": (100, 0.1, None),
        "shown": ("MNIST", "2a"),
    },
    "tfd": {
        "dataset": ("tfd", "unit_interval"),
        "noise": ("normal", 100),
        "generator": [
            linear(8000, "relu"),
            linear(8000, "sigmoid", 0.05, -2.0),
            sparse(2304, "sigmoid", 100, "marginals"),
        ],
        "discriminator": [maxout(1200), maxout(1200), LOGIT],
        "optimiser": (100, 0.05, 1.9365),
        "shown": ("TFD", "2b"),
    },
    "cifar10_fc": {
        "dataset": ("cifar10", "global_contrast"),
        "noise": ("normal", 100),
        "generator": [
            linear(8000, "relu"),
            linear(8000, "sigmoid"),
            linear(3072, "linear", 0.5),
        ],
        "discriminator": [maxout(1600), maxout(1600), LOGIT],
        "optimiser": (100, 0.025, None),
        "shown": (None, "2c"),
    },
    "cifar10_conv": {
        "dataset": ("cifar10", "global_contrast"),
        "noise": ("normal", 100),
        "generator": [
            linear(8000, "relu"),
            linear(8000, "sigmoid"),
            ("transposed_convolution", 80, 10, 5, 3, 0.05),
        ],
        "discriminator": [
            convolution(32, 8, 4, 4),
            convolution(32, 8, 3, 4),
            convolution(192, 5, 3, 2),
            maxout(500),
            LOGIT,
        ],
        "optimiser": (128, 0.004, None),
        "shown": (None, "2d"),
    },
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipes(name: str) -> None:
    actual, paper = load_experiment(CONFIGS / "experiments" / f"{name}.yaml"), PAPER[name]
    training = actual.training
    layers = {
        "generator": [tuple(dict(layer).values()) for layer in actual.generator.layers],
        "discriminator": [tuple(dict(layer).values()) for layer in actual.discriminator.layers],
    }
    assert (actual.dataset, actual.preprocessing) == paper["dataset"]
    assert (actual.generator.noise, actual.generator.noise_dim) == paper["noise"]
    assert layers["generator"] == paper["generator"]
    assert layers["discriminator"] == paper["discriminator"]
    assert (actual.discriminator.input_keep, actual.discriminator.hidden_keep) == (0.8, 0.5)
    optimiser = (training.batch_size, training.learning_rate, training.max_column_norm)
    assert optimiser == paper["optimiser"]
    assert (training.update, training.objective) == ("simultaneous", "non_saturating")
    assert (training.learning_rate_decay, training.learning_rate_floor) == (1.000004, 1e-6)
    assert (training.momentum_initial, training.momentum_final) == (0.5, 0.7)
    assert training.momentum_epochs == 250
    assert (actual.paper_column, actual.figure) == paper["shown"]


def test_tfd_has_two_phases_and_the_others_one() -> None:
    first, second = load_experiment(CONFIGS / "experiments/tfd.yaml").training.phases
    assert (first.epochs, first.generator_front, second.epochs) == (50, (), 22)
    assert [tuple(dict(layer).values()) for layer in second.generator_front] == [
        linear(8000, "relu"),
        linear(100, "sigmoid", 0.05, -2.0),
    ]
    for name in PAPER.keys() - {"tfd"}:
        training = load_experiment(CONFIGS / f"experiments/{name}.yaml").training
        assert len(training.phases) == 1


@pytest.mark.parametrize(
    ("name", "base", "differs"),
    [
        ("mnist_normal", "mnist", {"generator": {"noise": "normal"}}),
        ("mnist_25_epochs", "mnist", {"training": {"phases": 25}}),
        ("faces48", "tfd", {"dataset": "faces48", "paper_column": None}),
    ],
)
def test_variants_differ_in_nothing_else(name: str, base: str, differs: dict[str, Any]) -> None:
    """A variant's settings become its base's once the stated difference is undone."""
    actual = load_experiment(CONFIGS / f"experiments/{name}.yaml").model_dump(mode="json")
    plain = load_experiment(CONFIGS / f"experiments/{base}.yaml").model_dump(mode="json")
    for key in ("title", "note", "figure"):
        del actual[key], plain[key]
    if name == "mnist_normal":
        assert actual["generator"].pop("noise") == differs["generator"]["noise"]
        assert plain["generator"].pop("noise") == "uniform"
    elif name == "mnist_25_epochs":
        assert actual["training"]["phases"][0].pop("epochs") == differs["training"]["phases"]
        assert plain["training"]["phases"][0].pop("epochs") == 2000
        assert actual["evaluation"].pop("report_epochs") == []
        assert plain["evaluation"].pop("report_epochs") == [300, 600, 1000, 1500]
        assert actual["evaluation"].pop("draws") == 1
        assert plain["evaluation"].pop("draws") == 5
    else:
        for key, value in differs.items():
            assert actual.pop(key) == value
            assert plain.pop(key) != value
    assert actual == plain


def test_a_stand_in_is_never_compared_with_the_paper() -> None:
    for path in SHIPPED:
        actual = load_experiment(path)
        if actual.paper_column:
            assert actual.dataset == actual.paper_column.lower()
        if actual.figure:
            assert actual.dataset in ("mnist", "tfd", "cifar10")
