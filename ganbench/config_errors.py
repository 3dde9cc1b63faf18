"""What is wrong with a file of settings, in one line: place, what is wrong, value, remedy."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ganbench.inputs import first_problem, shown
from ganbench.plain_yaml import plain_number

Place = tuple[str | int, ...]
LONGEST_KEY = 64  # characters; a longer key is like none of ours, and takes long to compare
CLOSE_ELSEWHERE = 0.8  # a key of another level is only suggested when it is nearly the same word


def explain(error: ValidationError, model: type[BaseModel], extendable: bool = False) -> str:
    """Returns the first problem that a model found in what was read.

    Args:
        error: of the model.
        model: of the file.
        extendable: whether the file may have the key `extends`.
    """
    problem = error.errors()[0]
    place: Place = problem["loc"] or ("file",)
    where = ": ".join(str(part) for part in place)
    if problem["type"] == "extra_forbidden":
        *above, key = place
        named = ": ".join(str(part) for part in above) or "top level"
        also = {"extends"} if extendable and not above else set()
        return f"{named}: unknown key {shown(key)}; {_remedy(model, above, str(key), also)}"
    if problem["type"] == "missing":
        return f"{where}: is missing; add it"
    value = problem["input"]
    if problem["type"] == "tuple_type":
        return f"{where}: should be a list, got {shown(value)}; write [{_item(value)}]"
    if isinstance(value, str) and problem["type"].startswith(("float", "int")):
        number = plain_number(value)
        if number is not None:
            return f"{where}: {shown(value)} is text; write {number}"
    # Lists are read as tuples; whoever writes YAML knows lists.
    message = first_problem(error)[1].removeprefix("Value error, ").replace("Tuple", "list")
    return f"{where}: {message[0].lower()}{message[1:]}, got {shown(value)}; correct it"


def _item(value: Any) -> str:
    return shown(value) if isinstance(value, str | int | float) else "..."


def _remedy(model: type[BaseModel], place: Sequence[str | int], key: str, also: set[str]) -> str:
    """What to do with an unknown key: only keys that are valid where it stands are suggested."""
    if len(key) > LONGEST_KEY:
        return "remove it"
    here = also.union(*(one.model_fields for one in _models_at(model, place)))
    elsewhere: dict[str, list[str]] = {}
    for where, name in _places(model):
        elsewhere.setdefault(name, []).append(where)
    if key in elsewhere:
        return f"it belongs under {' or '.join(elsewhere[key])}"
    if close := difflib.get_close_matches(key, here, n=1):
        return f"did you mean {close[0]!r}?"
    if close := difflib.get_close_matches(key, elsewhere, n=1, cutoff=CLOSE_ELSEWHERE):
        return f"did you mean {close[0]!r}, under {' or '.join(elsewhere[close[0]])}?"
    return f"remove it, or use one of {', '.join(sorted(here))}"


def _models_at(model: type[BaseModel], place: Sequence[str | int]) -> set[type[BaseModel]]:
    """The models that may stand at a place: keys, positions in lists, and kinds lead there."""
    models = {model}
    for part in place:
        inner = {
            one
            for outer in models
            if part in outer.model_fields
            for one in _models_in(outer.model_fields[str(part)].annotation)
        }
        models = inner or {one for one in models if isinstance(part, int) or _is_kind(one, part)}
    return models


def _is_kind(model: type[BaseModel], name: str) -> bool:
    """Whether a union tells the model from its others by that name."""
    return any(name in get_args(field.annotation) for field in model.model_fields.values())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _places(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, str]]:
    """Yields where each key belongs, and the key; once, however many kinds of layer have it."""
    seen = set()
    for name, field in model.model_fields.items():
        yield above or "the top level", name
        listed = " (each entry)" if get_origin(field.annotation) is tuple else ""
        where = f"{above}: {name}{listed}" if above else f"{name}{listed}"
        for inner in _models_in(field.annotation):
            for place in _places(inner, where):
                if place not in seen:
                    seen.add(place)
                    yield place
