"""YAML read as people mean it: a small part of the language, within limits; runs nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ganbench.errors import GanbenchError
from ganbench.inputs import (
    MOST_DEPTH,
    MOST_DIGITS,
    Error,
    check_printable,
    read_text,
    reason,
    shown,
)

LARGEST = 2**20  # bytes
MOST_NODES = 10_000  # with aliases written out


def read_yaml(path: Path, remedy: str, error: Error = GanbenchError) -> Any:
    """Returns what a YAML file holds, read as people mean it (arguments as in `open_input`).

    Text, whole and decimal numbers, true, false, null, lists and mappings. A date, yes and no are
    text. Refused: tags, keys given twice, 010 and 0x10, and whatever grows beyond the limits.
    """
    text = read_text(path, remedy, error, LARGEST)
    try:
        return _YamlReader(text).read()
    # ValueError: an escape that is no character.
    except (yaml.YAMLError, ValueError, OverflowError) as problem:
        raise error(f"{path}: is not valid YAML: {reason(problem)}; fix that line") from None


class _YamlReader:
    """Builds values from the parser's events, counting all the while."""

    def __init__(self, text: str) -> None:
        # Events, because they come one by one: composing first would write all aliases out.
        self.events: Iterator[Any] = iter(yaml.parse(text, yaml.SafeLoader))
        self.nodes = 0
        self.anchors: dict[str, tuple[Any, int]] = {}

    def read(self) -> Any:
        content: Any = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _refused(event, "a second document starts here; keep one")
            elif isinstance(event, yaml.NodeEvent):
                content = self.node(event, 0)
        return content

    def node(self, event: yaml.NodeEvent, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        self.count(event, 1)
        if depth > MOST_DEPTH:
            raise _refused(event, f"nested deeper than {MOST_DEPTH} levels")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _refused(event, f"tag {shown(tag)} is not read; leave it out")
        before = self.nodes
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(depth)
        else:
            value = self.mapping(depth)
        if event.anchor:
            self.anchors[event.anchor] = value, self.nodes - before + 1
        return value

    def alias(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self.anchors:
            raise _refused(event, f"alias {shown(event.anchor)} has no anchor that ends before it")
        value, nodes = self.anchors[event.anchor]
        self.count(event, nodes)
        return value

    def count(self, event: yaml.NodeEvent, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise _refused(event, f"more than {MOST_NODES:,} values, aliases written out")

    def sequence(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.node(event, depth + 1))
        return values

    def mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            if not isinstance(key, str):
                raise _refused(event, f"key {shown(key)} is no text; correct it")
            if key in values:
                raise _refused(event, f"key {shown(key)} is given twice")
            values[key] = self.node(next(self.events), depth + 1)
        return values


WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= {word: True for word in ("true", "True", "TRUE")}
WORDS |= {word: False for word in ("false", "False", "FALSE")}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
DECIMAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Numbers to one reader of YAML and text to another, or other numbers than people mean.
DOUBTFUL = re.compile(r"[-+]?(0[0-9_]+|0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(:[0-5]?[0-9])+|\d[\d_]*)")


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = event.value
    try:
        check_printable(text)
    except ValueError as problem:
        raise _refused(event, str(problem)) from None
    if not event.implicit[0]:
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        if len(text) > MOST_DIGITS or abs(int(text)) >= 2**63:
            raise _refused(event, f"integer {shown(text)} is too large; give less than 2^63")
        return int(text)
    if DOUBTFUL.fullmatch(text):
        raise _refused(
            event,
            f"{shown(text)} is not the same number to every reader; write plain digits without a "
            "leading zero, or quote text",
        )
    if DECIMAL.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if SPECIAL.fullmatch(text) else text


def _refused(event: yaml.Event, problem: str) -> yaml.YAMLError:
    mark = event.start_mark
    return yaml.YAMLError(f"{problem} (line {mark.line + 1})" if mark else problem)


def plain_number(text: str) -> str | None:
    """Returns how a number that was read as text should be written; None where it is no number."""
    plain = text.strip().replace("_", "")
    if INTEGER.fullmatch(plain) or DECIMAL.fullmatch(plain):
        return plain.lstrip("+")
    return None
