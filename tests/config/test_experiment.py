"""Files to settings: every message, what a digest covers, and the recipes against the paper."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest

from ganbench.config import (
    Objective,
    load_experiment,
    settings_digest,
)
from ganbench.errors import ConfigError
from ganbench_kernels.objectives import OBJECTIVES

from .settings import SETTINGS, changed, experiment


def test_defaults_are_those_of_the_released_code(write: Callable[..., Path]) -> None:
    actual = load_experiment(write(SETTINGS))
    training, discriminator = actual.training, actual.discriminator
    assert (discriminator.input_keep, discriminator.hidden_keep) == (0.8, 0.5)
    assert (training.update, training.objective) == ("simultaneous", "non_saturating")
    assert (training.learning_rate_decay, training.learning_rate_floor) == (1.000004, 1e-6)
    assert (training.momentum_initial, training.momentum_final) == (0.5, 0.7)
    assert (training.momentum_epochs, training.max_column_norm) == (250, None)
    assert training.discriminator_steps == 1
    assert actual.evaluation.protocol == "gan2014"
    assert actual.evaluation.checkpoints == ("last", "best_validation")
    assert experiment("generator.noise_dim", ...).generator.noise_dim == 100


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "generator.noise_dims",
            4,
            "generator: unknown key 'noise_dims'; did you mean 'noise_dim'?",
        ),
        ("training.learn_rate", 1, "training: unknown key 'learn_rate'; did you mean 'learning_ra"),
        (
            "qqqq",
            1,
            "top level: unknown key 'qqqq'; remove it, or use one of dataset, discriminator, ",
        ),
        ("extend", "a.yaml", "top level: unknown key 'extend'; did you mean 'extends'?"),
        (
            "training.epochs",
            5,
            "training: unknown key 'epochs'; it belongs under training: phases (each entry)",
        ),
        (
            "generator.irange",
            0.1,
            "generator: unknown key 'irange'; it belongs under generator: layers (each entry) or "
            "discriminator: layers (each entry) or training: phases (each entry): generator_front ",
        ),
        (
            "learn_rate",
            1,
            "top level: unknown key 'learn_rate'; did you mean 'learning_rate', under training?",
        ),
        (
            "generator.layers.0.unit",
            1,
            "generator: layers: 0: linear: unknown key 'unit'; did you mean 'units'?",
        ),
        # No key of a linear layer: a maxout's.
        (
            "generator.layers.0.piece",
            1,
            "generator: layers: 0: linear: unknown key 'piece'; did you mean 'pieces', under disc",
        ),
        (
            "training.phases",
            3,
            "training: phases: should be a list, got 3; write [3]",
        ),
        ("training.batch_size", ..., "training: batch_size: is missing; add it"),
        ("training.learning_rate", "0.1", "learning_rate: '0.1' is text; write 0.1"),
        ("training.learning_rate", "fast", "training: learning_rate: input should be a valid num"),
        ("training.learning_rate", True, "learning_rate: input should be a valid number, got True"),
        ("training.learning_rate", float("nan"), "learning_rate: input should be "),
        ("training.learning_rate", float("inf"), "learning_rate: input should be "),
        ("training.learning_rate", 0.0, "learning_rate: input should be greater than 0, got 0.0"),
        ("training.batch_size", 0, "batch_size: input should be greater than 0, got 0; correct it"),
        ("training.batch_size", 99.0, "batch_size: input should be a valid integer, got 99.0"),
        ("training.momentum_initial", 1.0, "momentum_initial: input should be less than 1"),
        ("training.momentum_epochs", 1, "momentum_epochs: input should be greater than or equal"),
        ("training.phases", [], "training: phases: list should have at least 1 item"),
        ("training.phases.0.epochs", 0, "training: phases: 0: epochs: input should be greater"),
        ("training.discriminator_steps", 2, "'discriminator_steps' other than 1 needs update: alt"),
        (
            "training.phases.0.generator_front",
            [{"kind": "linear", "units": 4, "irange": 0.1}],
            "training: the first phase has no generator to put 'generator_front' before",
        ),
        ("dataset", "cifar100", "dataset: input should be 'mnist', 'cifar10',"),
        ("generator.noise", "gaussian", "generator: noise: input should be 'uniform' or 'normal'"),
        ("generator.layers", [], "generator: layers: list should have at least 1 item"),
        ("generator.layers.0.irange", ..., "give exactly one of 'irange' and 'sparse_weights'"),
        ("generator.layers.0.sparse_weights", 3, "give exactly one of 'irange' and 'sparse_weig"),
        ("generator.layers.0.bias", "marginal", "generator: layers: 0: linear: bias"),
        ("generator.layers.0.kind", "maxout", "generator: layers: 0: input tag 'maxout' found"),
        (
            "discriminator.layers.0",
            {
                "kind": "convolutional_maxout",
                "channels": 1,
                "pieces": 1,
                "kernel_size": 1,
                "padding": 0,
                "pool_size": 1,
                "pool_stride": 2,
                "irange": 0.1,
            },
            "convolutional_maxout: 'pool_stride' larger than 'pool_size' would skip pixels",
        ),
        ("discriminator.input_keep", 0.0, "discriminator: input_keep: input should be greater"),
        ("discriminator.hidden_keep", 1.5, "discriminator: hidden_keep: input should be less"),
        ("evaluation.protocol", "mine", "evaluation: protocol: input should be 'gan2014', "),
        ("evaluation.checkpoints", [], "evaluation: checkpoints: list should have at least 1"),
    ],
)
def test_a_wrong_setting_is_named_with_file_and_key(
    write: Callable[..., Path], path: str, value: Any, message: str
) -> None:
    file = write(changed(path, value))
    with pytest.raises(ConfigError) as error:
        load_experiment(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_cannot_change_after_loading() -> None:
    actual = experiment()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        actual.training.batch_size = 1
    with pytest.raises(TypeError):
        actual.generator.layers[0] = actual.generator.layers[0]


SCIENTIFIC = [
    ("paper_column", "MNIST"),
    ("dataset", "patches_grey"),
    ("preprocessing", "global_contrast"),
    ("generator.noise", "normal"),
    ("generator.noise_dim", 5),
    ("generator.layers.0.units", 65),
    ("generator.layers.0.activation", "sigmoid"),
    ("generator.layers.0.irange", 0.06),
    ("generator.layers.0.bias", "marginals"),
    ("discriminator.layers.0.irange", 0.006),
    ("discriminator.input_keep", 0.7),
    ("discriminator.hidden_keep", 0.7),
    ("training.update", "alternating"),
    ("training.objective", "minimax"),
    ("training.batch_size", 101),
    ("training.learning_rate", 0.2),
    ("training.learning_rate_decay", 1.5),
    ("training.learning_rate_floor", 0.01),
    ("training.momentum_initial", 0.4),
    ("training.momentum_final", 0.8),
    ("training.momentum_epochs", 249),
    ("training.max_column_norm", 1.0),
    ("training.phases.0.epochs", 4),
    ("evaluation.monitor_every", 6),
    ("evaluation.checkpoints", ["last"]),
    ("evaluation.draws", 2),
    ("evaluation.protocol", "fine"),
]
# Settings of SCIENTIFIC that change which numbers are shown, but neither weights nor history.
NOT_TRAINING = {"paper_column", "evaluation.checkpoints", "evaluation.draws"}


@pytest.mark.parametrize(("path", "value"), SCIENTIFIC)
def test_every_scientific_setting_changes_the_digests(path: str, value: Any) -> None:
    before, after = experiment(), experiment(path, value)
    assert after.digest != before.digest
    assert (after.training_digest == before.training_digest) == (path in NOT_TRAINING)


@pytest.mark.parametrize(("path", "value"), [("title", "a"), ("note", "b"), ("figure", "2a")])
def test_words_change_no_digest(path: str, value: str) -> None:
    before, after = experiment(), experiment(path, value)
    assert after.digest == before.digest
    assert after.training_digest == before.training_digest


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert settings_digest({"a": 1, "b": [1.5]}) == settings_digest({"b": [1.5], "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})


def test_a_spelled_out_default_is_the_same_experiment() -> None:
    assert experiment("training.momentum_initial", 0.5).digest == experiment().digest


def test_the_kernels_know_the_same_objectives() -> None:
    assert set(get_args(Objective)) == OBJECTIVES.keys()
