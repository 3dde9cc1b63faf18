"""The one door for files: regular, of a sane size, UTF-8, and no more than a limit says.

Whatever a user gives is opened here, in `ganbench.plain_yaml` or in `ganbench.archives`, and
nowhere else (a test holds it), so that what is refused once is refused everywhere.
"""

import json
import math
import os
import re
import reprlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ganbench.errors import GanbenchError, printable

# Configs, claims and pages that installed copies hold too; in a checkout, links to where they live.
SHIPPED = Path(__file__).with_name("shipped")
Model = TypeVar("Model", bound=BaseModel)
Error = type[GanbenchError]
LARGEST_TEXT = 64 * 2**20  # bytes, of JSON and CSV: the sample metrics of 1,000 seeds are 8 million
LARGEST_FILE = 8 * 2**30  # bytes, of anything that is only hashed
MOST_DEPTH = 30  # of nested lists and mappings
MOST_VALUES = 4_000_000  # of a JSON file
MOST_DIGITS = 20
MOST_SHOWN = 200  # characters of a value in a message
# Neither a terminal nor a page should get these: control characters, direction marks, surrogates.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(value: object) -> str:
    """Returns a user's value for a message: printable, one line, at most 200 characters."""
    text = printable(str(value) if isinstance(value, Path) else _short.repr(value))
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


class _Short(reprlib.Repr):
    """Never walks or spells out more of a value than a message can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, MOST_SHOWN, MOST_SHOWN

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write out integers of thousands of digits."""
        del level
        return repr(x) if x.bit_length() < 128 else f"about 2^{x.bit_length() - 1}"


_short = _Short()


def shipped_path(path: Path) -> Path:
    """Returns `path`, or where it is missing the shipped file of that name, if there is one."""
    shipped = SHIPPED / path
    return shipped if missing(path) and not missing(shipped) else path


@contextmanager
def open_input(
    path: Path, largest: int, remedy: str, error: Error = GanbenchError
) -> Iterator[BufferedReader]:
    """Opens a regular file for reading.

    Args:
        path: of the file.
        largest: bytes it may have.
        remedy: what its user can do; ends the message.
        error: what is raised.

    Raises:
        GanbenchError: it is missing, no regular file, too large, or cannot be read.
    """
    try:
        # A FIFO without a writer would block; a device is refused before a byte is read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        raise error(f"{path}: cannot be read ({reason(problem)}); {remedy}") from None
    problem = _unfit(os.fstat(descriptor), largest)
    if problem:
        os.close(descriptor)
        raise error(f"{path}: {problem}; {remedy}")
    with open(descriptor, "rb") as file:
        try:
            yield file
        except OSError as problem:
            raise error(f"{path}: cannot be read ({reason(problem)}); {remedy}") from None


def _unfit(facts: os.stat_result, largest: int) -> str:
    if stat.S_ISDIR(facts.st_mode):
        return "cannot be read (Is a directory)"
    if not stat.S_ISREG(facts.st_mode):
        return "cannot be read (is no regular file)"
    if facts.st_size > largest:
        return f"is too large, got {facts.st_size:,} bytes of at most {largest:,}"
    return ""


def missing(path: Path) -> bool:
    """Returns whether nothing has that name: no file, no folder, no link that leads nowhere."""
    return not os.path.lexists(path)


def reason(problem: BaseException) -> str:
    """Returns why something failed in a few words, on one line."""
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    text = printable(" ".join(str(text).split()))
    return text if len(text) <= 2 * MOST_SHOWN else f"{text[: 2 * MOST_SHOWN - 3]}..."


def read_text(
    path: Path, remedy: str, error: Error = GanbenchError, largest: int = LARGEST_TEXT
) -> str:
    """Returns the text of a UTF-8 file, whatever the locale (arguments as in `open_input`)."""
    with open_input(path, largest, remedy, error) as file:
        # The size of some files is only known when they have been read.
        content = file.read(largest + 1)
    if len(content) > largest:
        raise error(f"{path}: is too large, got more than {largest:,} bytes; {remedy}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(
            f"{path}: is not UTF-8 (byte {content[problem.start]:#04x} at {problem.start}); "
            f"save it as UTF-8"
        ) from None


def read_json(path: Path, remedy: str, error: Error = GanbenchError) -> Any:
    """Returns what a JSON file holds (arguments as in `open_input`)."""
    return parse_json(read_text(path, remedy, error), str(path), remedy, error)


def parse_json(
    text: str, where: str, remedy: str, error: Error = GanbenchError, finite: bool = True
) -> Any:
    """Returns what JSON text holds: finite numbers, each key once, nothing nested too deep.

    Args:
        text: the JSON.
        where: begins the message.
        remedy: ends it.
        error: what is raised.
        finite: whether NaN and Infinity are refused.
    """
    constant = _no_constant if finite else float
    try:
        content = json.loads(
            text, parse_constant=constant, parse_int=_integer, object_pairs_hook=_unique
        )
        _check_plain(content, finite)
    except RecursionError:
        raise error(f"{where}: is nested too deep; {remedy}") from None
    except ValueError as problem:
        raise error(f"{where}: is not valid JSON ({reason(problem)}); {remedy}") from None
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"an integer has {len(digits):,} digits, at most {MOST_DIGITS}")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"key {shown(twice)} is given twice")
    return content


def _check_plain(content: Any, finite: bool) -> None:
    """Refuses what would harm whoever walks, prints or draws the content later."""
    waiting: list[tuple[Any, int]] = [(content, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values")
        if depth > MOST_DEPTH:
            raise RecursionError
        if isinstance(value, dict):
            waiting += [(one, depth + 1) for pair in value.items() for one in pair]
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value]
        elif isinstance(value, str):
            check_printable(value)
        elif finite and isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number is too large")


def check_printable(text: str) -> None:
    """Refuses control characters (raises ValueError)."""
    match = UNPRINTABLE.search(text)
    if match:
        raise ValueError(f"{shown(text[:40])} has a control character, {match[0]!a}")


def read_model(
    model: type[Model], path: Path, what: str, remedy: str, error: Error = GanbenchError
) -> Model:
    """Returns a JSON file as a model that says what it must hold.

    Args:
        model: a pydantic model.
        path: of the file.
        what: it should be, in words.
        remedy: what its user can do; ends the message.
        error: what is raised.

    Raises:
        GanbenchError: names the file and the first key that is wrong.
    """
    text = read_text(path, remedy, error)
    parse_json(text, str(path), remedy, error)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as problem:
        where, message = first_problem(problem)
        raise error(f"{path}: {where}: not {what} ({message}); {remedy}") from None


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Returns the place of the first problem and pydantic's words for it, both short."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part)[:MOST_SHOWN] for part in problem["loc"]) or "file"
    message = problem["msg"]
    tag = str(problem.get("ctx", {}).get("tag", ""))
    if len(tag) > MOST_SHOWN:
        message = message.replace(tag, f"{tag[: MOST_SHOWN - 3]}...")
    return printable(where), printable(message)
