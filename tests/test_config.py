"""Files to settings: every message, what a digest covers, and the recipes against the paper."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest
import yaml

from ganbench.catalogue import DATASETS
from ganbench.config import (
    Experiment,
    Objective,
    Suite,
    load,
    load_experiment,
    load_suite,
    settings_digest,
    suite_experiments,
)
from ganbench.errors import ConfigError
from ganbench_kernels.objectives import OBJECTIVES

CONFIGS = Path(__file__).parent.parent / "configs"
# Theory experiments have settings of their own.
SHIPPED = sorted(
    path for path in (CONFIGS / "experiments").glob("*.yaml") if not path.stem.startswith("theory")
)
SETTINGS = {
    "title": "small",
    "dataset": "digits",
    "generator": {
        "noise": "uniform",
        "noise_dim": 4,
        "layers": [{"kind": "linear", "units": 64, "irange": 0.05}],
    },
    "discriminator": {"layers": [{"kind": "linear", "units": 1, "irange": 0.005}]},
    "training": {"batch_size": 100, "learning_rate": 0.1, "phases": [{"epochs": 3}]},
    "evaluation": {"monitor_every": 5},
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a YAML file of text or settings and returns its path."""

    def write_file(content: Any, name: str = "small.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write_file


def changed(path: str, value: Any) -> dict[str, Any]:
    """Returns `SETTINGS` with the value at a dotted path replaced; `...` removes it."""
    settings = yaml.safe_load(yaml.safe_dump(SETTINGS))
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = settings
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return settings


def experiment(path: str = "title", value: Any = "small") -> Experiment:
    return Experiment.model_validate(changed(path, value))


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: a\ntitle: b\n", "key 'title' is given twice (line 2)"),
        ("training:\n  a: 1\n  a: 2\n", "key 'a' is given twice (line 3)"),
        ("title: [", "is not valid YAML: while parsing a flow node"),
        ("- title\n", "should be a mapping of keys, got list; see configs/"),
        ("", "should be a mapping of keys, got NoneType; see configs/"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(
    write: Callable[..., Path], text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=r"small\.yaml: ") as error:
        load_experiment(write(text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read \(No such file.*give the pa"):
        load_experiment(tmp_path / "none.yaml")


def test_an_extending_file_changes_only_what_it_says(write: Callable[..., Path]) -> None:
    write(SETTINGS, "base.yaml")
    write({"extends": "base.yaml", "training": {"batch_size": 7}}, "middle.yaml")
    layers = [{"kind": "linear", "units": 9, "irange": 1.0}] * 2
    actual = load_experiment(
        write({"extends": "../middle.yaml", "generator": {"layers": layers}}, "sub/top.yaml")
    )
    assert actual.training.batch_size == 7
    assert actual.training.learning_rate == 0.1
    assert actual.generator.noise_dim == 4
    # Lists are replaced, not joined.
    assert [layer.units for layer in actual.generator.layers] == [9, 9]


def test_an_extending_file_can_take_a_value_away(write: Callable[..., Path]) -> None:
    write(SETTINGS | {"paper_column": "TFD"}, "base.yaml")
    assert load_experiment(write({"extends": "base.yaml"}, "kept.yaml")).paper_column == "TFD"
    actual = load_experiment(write({"extends": "base.yaml", "paper_column": None}, "top.yaml"))
    assert actual.paper_column is None


def test_files_that_extend_each_other_are_refused(write: Callable[..., Path]) -> None:
    write({"extends": "second.yaml"}, "first.yaml")
    path = write({"extends": "first.yaml"}, "second.yaml")
    with pytest.raises(ConfigError, match=r"second.yaml: extends: extends itself; remove one"):
        load_experiment(path)


def test_a_missing_base_is_named(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read"):
        load_experiment(write({"extends": "nowhere.yaml"}))


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


def test_the_kernels_know_the_same_objectives() -> None:
    assert set(get_args(Objective)) == OBJECTIVES.keys()
