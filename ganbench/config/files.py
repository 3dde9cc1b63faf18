"""YAML files to settings: a file may extend another, and every mistake is one line."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ganbench.config_errors import explain
from ganbench.errors import ConfigError
from ganbench.inputs import shown
from ganbench.plain_yaml import read_yaml

Model = TypeVar("Model", bound=BaseModel)
MOST_EXTENDS = 10  # files in a row


def load(model: type[Model], path: Path) -> Model:
    """Reads a YAML file and what it extends into a `Frozen` model.

    Raises:
        ConfigError: names the file, the key, the value and the remedy.
    """
    return validate(model, read_extended(path), path, extendable=True)


def settings_digest(settings: Any) -> str:
    """Returns the sha256 of settings in a canonical JSON form."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_mapping(path: Path) -> dict[str, Any]:
    """Returns the keys of one YAML file, without what it extends.

    Raises:
        ConfigError: it cannot be read, or holds no mapping.
    """
    content = read_yaml(Path(path), "give the path of a YAML file", ConfigError)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: should be a mapping of keys, got {type(content).__name__}; see configs/"
        )
    return content


def read_extended(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Returns the keys of a YAML file over those of the files that it extends.

    Args:
        path: of the file.
        seen: the files that extend it.

    Raises:
        ConfigError: a file cannot be read, or extends itself.
    """
    path = Path(path)
    content = read_mapping(path)
    if path.resolve() in seen:
        raise ConfigError(f"{path}: extends: extends itself; remove one 'extends'")
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise ConfigError(f"{path}: extends: got {shown(base)}; give the name of one file")
    if len(seen) >= MOST_EXTENDS:
        raise ConfigError(
            f"{path}: extends: more than {MOST_EXTENDS} files extend each other; join some"
        )
    return _merge(read_extended(path.parent / base, (*seen, path.resolve())), content)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def validate(
    model: type[Model], content: dict[str, Any], path: Path, extendable: bool = False
) -> Model:
    """Returns the settings that a file's content stands for.

    Args:
        model: of the file.
        content: as read.
        path: of the file, for messages.
        extendable: whether the file may have the key `extends`.

    Raises:
        ConfigError: names the file, the key, the value and the remedy.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, model, extendable)}") from None
