"""Our own sources as syntax trees: what they import, and a text of them that no layout changes."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def imported_names(path: Path) -> list[str]:
    """Returns the names that a file imports; `from a import b` may mean the module a.b.

    What is imported for the type checker alone does not count.
    """
    return _imported_names(path.read_text(encoding="utf-8"))


# Several stages use the same modules, and this takes milliseconds for each.
@cache
def _imported_names(text: str) -> list[str]:
    names = []
    for node in _run(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Yields every node below one that runs: not the bodies of `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not checked:
            yield child
            yield from _run(child)


def tree_text(path: Path) -> str:
    """Returns a file's syntax tree without docstrings, alike in every version of Python."""
    return _tree_text(path.read_text(encoding="utf-8"))


@cache
def _tree_text(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[:] = body[1:] or [ast.Pass()]
    return _written(tree)


def _written(value: object) -> str:
    """Spells out a tree, as `ast.dump` does, but without what differs between versions.

    Later versions add fields, which are empty in code that older ones can read; some end an
    f-string's format with an empty text.
    """
    if isinstance(value, ast.JoinedStr):
        value.values = [part for part in value.values if not _is_empty_text(part)]
    if isinstance(value, ast.AST):
        fields = [(name, _written(part)) for name, part in ast.iter_fields(value)]
        inside = ",".join(f"{name}={text}" for name, text in fields if text)
        return f"{type(value).__name__}({inside})"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]" if value else ""
    return "" if value is None else repr(value)


def _is_empty_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
