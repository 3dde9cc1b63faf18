"""Digests of code, files that are whole or absent, and where a number was made."""

import errno
import fcntl
import hashlib
import importlib
import itertools
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ganbench import provenance
from ganbench.errors import GanbenchError
from ganbench.provenance import (
    STAGES,
    atomic_path,
    code_digest,
    device_name,
    file_sha256,
    locked_folder,
    stage_modules,
    versions,
)
from ganbench.syntax import tree_text

START = '''"""What it does."""
import os
from tiny_package.used import number


def double(value):
    """Returns twice the value."""
    return 2 * value  # exactly
'''
numbers = itertools.count()


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Returns the code digest of a stage of a package whose files have the given texts."""
    package = tmp_path / "tiny_package"
    (package / "folder").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(provenance, "PACKAGES", ("tiny_package",))

    def write(start: str = START, used: str = "number = 1\n", **others: str) -> str:
        files = {"__init__": "", "start": start, "used": used} | others
        for name, text in files.items():
            (package / f"{name.replace('__of__', '/')}.py").write_text(text)
        importlib.invalidate_caches()
        # A stage of a new name each time, because digests are cached by stage.
        stage = f"stage_{next(numbers)}"
        monkeypatch.setitem(STAGES, stage, "tiny_package.start")
        return code_digest(stage)

    return write


@pytest.mark.parametrize(
    "text",
    [
        START.replace("  # exactly", ""),
        START.replace("What it does", "What else it does"),
        START.replace('    """Returns twice the value."""\n', ""),
        START.replace("2 * value", "(2\n * value)"),
    ],
    ids=["comment", "docstring", "no docstring", "layout"],
)
def test_words_and_layout_do_not_count(digest: Callable[..., str], text: str) -> None:
    assert text != START
    assert digest(text) == digest(START)


@pytest.mark.parametrize(
    "files",
    [
        {"start": START.replace("2 *", "3 *")},
        {"start": START.replace("double", "twice")},
        {"used": "number = 2\n"},
        {"used": "from tiny_package import deep\n", "deep": "x = 1"},
        {"used": "import tiny_package.folder.deep\n", "folder__of__deep": "x = 1"},
        {"used": "import tiny_package\n", "__init__": "x = 1"},
    ],
)
def test_code_counts(digest: Callable[..., str], files: dict[str, str]) -> None:
    assert digest(**files) != digest()


def test_what_an_imported_module_imports_counts(digest: Callable[..., str]) -> None:
    used = "from tiny_package import deep\n"
    assert digest(used=used, deep="x = 1") != digest(used=used, deep="x = 2")


def test_what_no_module_imports_does_not_count(digest: Callable[..., str]) -> None:
    assert digest(alone="x = 1") == digest(alone="x = 2")


def test_a_stages_modules_are_those_it_runs() -> None:
    modules = stage_modules(STAGES["train"])
    assert {"ganbench.training.loop", "ganbench.models", "ganbench.config"} <= modules.keys()
    assert {"ganbench_kernels", "ganbench_kernels.reference"} <= modules.keys()
    assert not any(name.startswith("ganbench.report") for name in modules)
    assert not any("torch" in name for name in modules)
    assert all(path.is_file() for path in modules.values())


def test_every_stage_starts_somewhere() -> None:
    for stage in STAGES:
        assert STAGES[stage] in stage_modules(STAGES[stage])
        assert len(code_digest(stage)) == 64


def test_sha256_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert file_sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 4096 bytes: what a full disk does, also to a superuser."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(bytes(10_000))

    with pytest.raises(
        GanbenchError, match=r"file\.txt: cannot be written \(File too large\); free some space"
    ):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("no folder")

    def write() -> None:
        with atomic_path(tmp_path / "results" / "record.json"):
            pass

    with pytest.raises(GanbenchError, match=r"record\.json: cannot be written \(File exists\); "):
        write()


def test_a_read_only_file_system_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    # Such a file system refuses to remove even what is not there.
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)

    def write() -> None:
        with atomic_path(tmp_path / "record.json"):
            pass

    with pytest.raises(GanbenchError, match=r"cannot be written \(Read-only file system\); "):
        write()


SYNTAX = (
    """
import os

async def f[T](a, /, *b: int, c=1, **d) -> None: ...
""".replace("[T]", "")
    + """
class A(dict, metaclass=type):
    x: int = u"text"
    y = f"{os.sep!r:>{x}.2f} {x=}" f"{x:,}" "", [*b, -1j], {**d}, (z := 1), a[1:, ...]
match x:
    case {"a": [1, *rest]} if not (lambda: 1): pass
try: pass
except* OSError: raise
"""
)


def test_every_python_gives_the_same_digest(tmp_path: Path) -> None:
    """What Python 3.11, 3.12 and 3.13 gave."""
    (tmp_path / "a.py").write_text(SYNTAX)
    digest = hashlib.sha256(tree_text(tmp_path / "a.py").encode()).hexdigest()
    assert digest[:16] == "f6d3dc71501095e6"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_files_mode_follows_the_umask(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        with atomic_path(tmp_path / "weights") as temporary:
            # Some libraries rename a private file of theirs.
            temporary.with_name("other").write_text("all")
            temporary.with_name("other").chmod(0o600)
            temporary.with_name("other").replace(temporary)
        with atomic_path(tmp_path / "record") as temporary:
            temporary.write_text("all")
    finally:
        os.umask(old)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".file.txt.77.tmp"
    for name in (left.name, ".file.txt.old.tmp", ".other.txt.77.tmp"):
        (tmp_path / name).write_text("half")
    with open(left) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with atomic_path(tmp_path / "file.txt") as temporary:
            temporary.write_text("all")
        assert left.exists()
    with atomic_path(tmp_path / "file.txt") as temporary:
        temporary.write_text("all")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"file.txt", ".file.txt.old.tmp", ".other.txt.77.tmp"}


@pytest.mark.usefixtures("small_files")
def test_a_library_that_writes_a_part_does_not_hide_the_full_disk(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_path(tmp_path / "file.npy") as path, open(path, "wb") as file:
            np.save(file, np.zeros(10_000))

    with pytest.raises(
        GanbenchError, match=r"file\.npy: cannot be written \(the disk or quota is f"
    ):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_one_processs(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "run"):
        with pytest.raises(GanbenchError) as error, locked_folder(tmp_path / "run"):
            pass
        assert str(error.value) == (
            f"{tmp_path / 'run'}: another `ganbench train` is at work here; wait until it has "
            "ended, or stop it"
        )
    with locked_folder(tmp_path / "run"):
        pass


def test_versions_name_what_can_change_a_number() -> None:
    import numpy
    import torch

    actual = versions()
    assert actual.keys() == {"python", "torch", "triton", "numpy"}
    assert actual["python"] == ".".join(map(str, sys.version_info[:3]))
    assert actual["torch"] == torch.__version__
    assert actual["numpy"] == numpy.__version__


def test_a_processor_has_a_name() -> None:
    assert device_name("cpu").strip()


def test_a_files_new_name_is_on_the_disk_before_anything_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content first, then the name in the folder: a crash of the machine loses neither."""
    synced: list[str] = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("all")
    assert synced == [str(temporary), str(tmp_path)]
