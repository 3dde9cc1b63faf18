"""Malformed contents of every kind, and how a refusal is judged; the tests beside share them."""

import io
import os
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from PIL import Image

from ganbench.__main__ import app, main
from ganbench.data.datasets import load
from ganbench.errors import GanbenchError
from ganbench.inputs import MOST_SHOWN, UNPRINTABLE

LONGEST = 1_500  # of a message: a path, a reason and a remedy
LONGEST_S, MOST_MEMORY = 10, 2**30  # processor seconds of a case, and bytes that all of them add
COMMAND = typer.main.get_command(app)  # made once; `app` makes it anew in every call
Content = bytes | Callable[[Path], object]
HOSTILE_YAML = [
    b"", b"[]", b"1", b"null", b"a: [", b"\xff\xfea: 1", b"title: \xe9", b"a: \x00", b"\x00",
    b"a: &x [*x]", b"a: *x", b"[" * 100_000, b"a: " + b"[" * 1500, b"- " * 50_000,
    b"a: " + b"9" * 5000, b"a: 9223372036854775808", b"a: 010", b"a: 0x10", b"a: 1_000",
    b"a: 1:30", b"a: !!python/object/apply:os.system [x]", b"a: !!int x", b"a: !!timestamp x",
    b"a: !x y", b"a: 1\na: 2", b"1: 2", b"? [a]\n: 1", b"a: 1\n---\nb: 2", b'"\\e[31m": 1',
    b'title: "\\ud800"', b'a: "\\UFFFFFFFF"', b"%YAML 9.9\n---\na: 1", b"%YAML " + b"9" * 5000,
    b"a: 2001-99-99", b"<<: {a: 1}", b"extends: 1", b"extends: [a]", b"extends: {a: 1}",
    b"extends: input.yaml", b'extends: "a\\0b"', b"extends: .", b"extends: /dev/zero",
    b"extends: nowhere.yaml", b"x" * 2_000_000, b"a" * 5000 + b": 1", b"title: [/nope]",
    b"\n".join(b"k%d: 1" % number for number in range(40_000)), b"a: .nan", b"a: 1e999",
    b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"b%d: &b%d [%s]\n" % (n, n, b",".join([b"*a" if n == 0 else b"*b%d" % (n - 1)] * 9))
               for n in range(9)),
]  # fmt: skip
HOSTILE_JSON = [
    b"", b"[]", b"1", b"null", b'"a"', b"{", b"{}", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 100_000,
    b'{"a":' * 5_000, b'{"a": 1, "a": 2}', b'{"table": []}', b'{"table": 1}', b"\xff\xfe{\x00}\x00",
    b'{"benchmarks": 1}', b'{"benchmarks": []}', b'{"benchmarks": [{}]}', b'{"stage": "train"}',
    b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}', b'{"a": "\\u001b[31m"}', b"\x00" * 100,
    b'{"table": {"title": "", "columns": ["a"], "rows": [[]], "notes": []}}', b"[/nope]",
]  # fmt: skip


def header(dtype: str, shape: str, version: int = 1) -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H", len(text)) + text


ARRAY = header("'<f4'", "(2, 2)") + bytes(16)
HOSTILE_NPY = [
    b"", b"x", b"\x93NUMPY", b"PK\x03\x04", ARRAY[:-1], header("'<f4'", f"({10**12},)"),
    header("'<f4'", f"({10**30},)"), header("'<f4'", f"({10**30}, 0)"), header("'<f4'", "(-1,)"),
    header("'|S1000000000'", "(100,)"), header("'|O'", "(2,)"), header("'<M8[s]'", "(2,)"),
    header("[('a', '<f4')]", "(2,)"), header("'<f4", "(2,)"), header("'\\\\q'", "(2,)"),
    header("'<f4'", "(" * 3000 + ")" * 3000), header("'<f4'", "(2.0,)"), header("'<f4'", "2"),
    header("'<f4'", "(2,)", 3), header("'<f4'", "(2,)", 9), header("'<c8'", "(1,)") + bytes(8),
    header("'|S2'", "(1,)") + b"ab", header("'<f4'", "()") + bytes(4), ARRAY,
]  # fmt: skip


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at + 1 :]


def encrypted(content: bytes) -> bytes:
    entry = content.index(b"PK\x01\x02")
    return changed(changed(content, 6, 1), entry + 8, 1)


STORED = npz({"samples.npy": ARRAY}, zipfile.ZIP_STORED)
HOSTILE_NPZ = [
    b"", b"x", ARRAY, npz({}), npz({"a.txt": b"x"}), npz({"samples.npy": b"x"}), STORED[:-30],
    encrypted(STORED), changed(changed(STORED, 8, 99), STORED.index(b"PK\x01\x02") + 10, 99),
    npz({"samples.npy": header("'|u1'", f"({6 * 10**9},)") + bytes(10**7)}),
    *(npz({"samples.npy": content}) for content in HOSTILE_NPY),
    npz({"a.npy": ARRAY, "b.npy": ARRAY}), npz({"\x1b[31m.npy": b""}),
]  # fmt: skip


def png(mode: str = "L", size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


HOSTILE_PNG = [
    b"", b"x", b"%!PS-Adobe-3.0\nshowpage", b"\x89PNG\r\n\x1a\n", png("RGBA"), png("I;16"),
    png(size=(5000, 1)), png(), *(png()[:cut] for cut in range(8, len(png()) - 13, 3)),
    png().replace(b"IHDR\x00\x00\x00\x08", b"IHDR\x7f\xff\xff\xff"),
]  # fmt: skip


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**42)


NO_FILES: list[Content] = [
    make_fifo,
    make_sparse,
    Path.mkdir,
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to("nowhere"),
    lambda _: None,
]


def spoilt(content: bytes, count: int = 12) -> Iterator[bytes]:
    """A sound text file cut off, in other encodings, and with bytes no text has."""
    for part in range(count):
        cut = len(content) * part // (2 * count)
        yield content[:cut] + b"\x00" + content[cut:]
        yield content[:cut] + b"\xff" + content[cut:]
    yield from (content.decode().encode(encoding) for encoding in ("utf-16", "utf-32", "cp037"))


def put(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)


class Case(NamedTuple):
    """A malformed input.

    Attributes:
        label: what it is, for the list of those that are not refused well.
        arguments: of the command line; {folder} stands for the case's own folder.
        prepare: writes what the command reads below that folder.
        codes: exit codes that say it was refused.
        environment: variables that are set; None unsets one.
    """

    label: str
    arguments: list[str]
    prepare: Callable[[Path], object] = lambda _: None
    codes: tuple[int, ...] = (2,)
    environment: dict[str, str | None] = {}  # noqa: RUF012


def run(arguments: list[str]) -> int:
    """The command line's exit code; `load NAME FOLDER`, which is no verb, only reads a data set."""
    if arguments[0] == "load":
        return load_data(*arguments[1:])
    before, sys.argv = sys.argv, ["ganbench", *arguments]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ganbench.__main__.app", COMMAND)
            main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def load_data(name: str, folder: str) -> int:
    """What every verb does first with a data set, without what the command line takes."""
    try:
        load(name, Path(folder))
    except GanbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file of a folder with its size and time of change."""
    facts_of = {path: path.lstat() for path in folder.rglob("*")}
    # A folder's own time changes with a temporary file that came and went.
    return {
        path: (0, 0) if path.is_dir() else (facts.st_size, facts.st_mtime_ns)
        for path, facts in facts_of.items()
    }


def problem(folder: Path, case: Case, capsys: pytest.CaptureFixture[str]) -> str | None:
    """What is wrong with how a case is refused; None if nothing is."""
    folder.mkdir()
    case.prepare(folder)
    before = state(folder)
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            _ = patch.delenv(name, False) if value is None else patch.setenv(name, value)
        started = time.process_time()
        code = run([one.replace("{folder}", str(folder)) for one in case.arguments])
        seconds = time.process_time() - started
    line = capsys.readouterr().err.removesuffix("\n")
    if code not in case.codes:
        return f"exit code {code}: {line[:300]}"
    if "\n" in line or not line or "Traceback" in line or UNPRINTABLE.search(line):
        return f"no single line: {line[:300]!r}"
    if len(line) > LONGEST or "a" * (MOST_SHOWN + 1) in line:
        return f"too long: {line[:100]}"
    changed = {path for path, facts in state(folder).items() if before.get(path) != facts}
    if changed or before.keys() - state(folder).keys():
        return f"changed {sorted(map(str, changed)) or 'something: a file is gone'}"
    return f"took {seconds:.0f} s" if seconds > LONGEST_S else None


def all_refused(folder: Path, cases: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    """Fails with the list of cases that are not refused well; prints how many there were."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problems = [problem(folder / str(number), one, capsys) for number, one in enumerate(cases)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    bad = [f"{case.label}: {one}" for case, one in zip(cases, problems, strict=True) if one]
    print(f"{len(cases)} malformed inputs, {len(bad)} not refused well")
    assert bad == [], "\n".join(bad)
    assert memory * 1024 < MOST_MEMORY
