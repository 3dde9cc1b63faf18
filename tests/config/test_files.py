"""Files that extend each other, and files that are none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganbench.config import (
    load_experiment,
)
from ganbench.errors import ConfigError

from .settings import SETTINGS


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


def test_a_long_chain_of_extending_files_is_refused(write: Callable[..., Path]) -> None:
    write(SETTINGS, "0.yaml")
    for number in range(1, 1_500):
        write(f"extends: {number - 1}.yaml\n", f"{number}.yaml")
    assert load_experiment(write("extends: 8.yaml\n", "short.yaml")).title
    with pytest.raises(ConfigError) as error:
        load_experiment(write("extends: 1499.yaml\n", "long.yaml"))
    message = "extends: more than 10 files extend each other; join some"
    assert str(error.value).endswith(message)
    assert "\n" not in str(error.value)
