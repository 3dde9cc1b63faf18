"""Every text file is read and written as UTF-8, whatever the locale."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "configs" / "experiments" / "digits.yaml"
PROGRAM = (sys.executable, "-X", "utf8=0", "-m", "ganbench")


def of_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text: a file's, or a process's."""
    name = ast.unparse(call.func)
    if name == "open":
        mode = call.args[1] if len(call.args) > 1 else ast.Constant("r")
        return isinstance(mode, ast.Constant) and "b" not in str(mode.value)
    if name in ("read_text", "os.open") or name.startswith("subprocess."):
        return any(one.arg == "text" for one in call.keywords)
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("read_text", "write_text")


def without_encoding(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and of_text(node):
            named = {one.arg: ast.unparse(one.value) for one in node.keywords}
            if named.get("encoding") != "'utf-8'":
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_text_file_is_utf8() -> None:
    paths = [*(ROOT / "ganbench").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")]
    assert [place for path in paths for place in without_encoding(path)] == []


@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {}])
def test_a_locale_without_utf8_is_no_hindrance(tmp_path: Path, locale: dict[str, str]) -> None:
    path = tmp_path / "é.yaml"
    path.write_text(f"extends: {DIGITS}\ntitle: Größe\n", encoding="utf-8")
    for arguments in (["train", "--dry-run"], ["fetch"]):
        done = subprocess.run(
            [*PROGRAM, *arguments, "--config", path.name, "--out", "o/é.json"],
            cwd=tmp_path,
            env=os.environ | locale | {"PYTHONIOENCODING": "ascii", "MPLBACKEND": "nonsense"},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
