"""Where a number comes from (code, versions, machine), and writing whole files."""

import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ganbench.errors import GanbenchError
from ganbench.inputs import LARGEST_FILE, open_input, reason, shown
from ganbench.syntax import imported_names, tree_text

# The module where each stage starts; its digest covers what that module imports, and so on down.
STAGES = {
    "fetch": "ganbench.stages.fetch",
    "train": "ganbench.stages.train",
    "sample": "ganbench.stages.sample",
    "evaluate": "ganbench.stages.evaluate",
    "baselines": "ganbench.stages.baselines",
    "sample_metrics": "ganbench.stages.sample_metrics",
    "score": "ganbench.stages.score",
    "theory": "ganbench.theory.run",
    "report": "ganbench.report.build",
    "paper": "ganbench.report.paper",
}
PACKAGES = ("ganbench", "ganbench_kernels")
# A module that imports by name at run time, and the folder of what it may import.
BY_NAME = {
    "ganbench.data.datasets": "ganbench.data",
    "ganbench.methods.base": "ganbench.methods",
}
# What files of ours begin with; another file is never written over.
RECORD, REPORT, PDF, ARRAYS = (
    b'{\n  "schema_version": ',
    b'{\n  "suite": {',
    b"%PDF-",
    b"PK\x03\x04",
)
# What a folder's file system says where only files can be synced.
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


@cache
def code_digest(stage: str) -> str:
    """Returns the sha256 of the syntax trees of every module of ours that a stage imports.

    Comments, docstrings and layout do not count, nor does the version of Python.

    Args:
        stage: a key of `STAGES`.
    """
    digest = hashlib.sha256()
    for name, path in sorted(stage_modules(STAGES[stage]).items()):
        digest.update(f"{name}:{tree_text(path)}".encode())
    return digest.hexdigest()


def stage_modules(module: str) -> dict[str, Path]:
    """Returns our modules that `module` imports, directly or not, itself included, with files."""
    files: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name not in files and path is not None:
            files[name] = path
            waiting += imported_names(path)
            if name in BY_NAME:
                waiting += [
                    f"{BY_NAME[name]}.{sibling.stem}" for sibling in path.parent.glob("*.py")
                ]
    return files


def _source(name: str) -> Path | None:
    """The file of a module of ours, found without importing it."""
    package, _, rest = name.partition(".")
    spec = importlib.util.find_spec(package) if package in PACKAGES else None
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0], *rest.split(".")) if rest else None
    folder = base or Path(spec.submodule_search_locations[0])
    candidates = [folder / "__init__.py"]
    if base:
        candidates.append(base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def file_sha256(path: Path) -> str:
    """Returns the sha256 of a file's bytes, as hexadecimal digits.

    Raises:
        GanbenchError: it is missing, no regular file, or cannot be read.
    """
    with open_input(path, LARGEST_FILE, "give a file that can be read") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Returns the versions of python and of the packages that can change a number."""
    installed = {"python": platform.python_version()}
    for package in ("torch", "triton", "numpy"):
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def device_name(device: str) -> str:
    """Returns the model of the processor or GPU behind a torch device such as "cpu"."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return _cpu_model()


@cache
def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def check_out(
    out: Path, *inputs: Path | None, folder: bool = False, ours: bytes | None = RECORD
) -> None:
    """Refuses what could not be written, or would destroy what is read, before any work is done.

    Args:
        out: the file, or folder, that will be written.
        inputs: what is read.
        folder: whether `out` is a folder of results.
        ours: how a file begins that may be written over; if None, none may.

    Raises:
        GanbenchError: it is a folder where a file is meant or the other way round, lies below a
            file, cannot be written, is one of the inputs, or is there and no result of ours.
    """
    problem = _unwritable(out, folder)
    if problem:
        what = "folder" if folder else "file"
        raise GanbenchError(f"--out: got {shown(out)}, {problem}; name another {what}")
    for one in inputs:
        if one is not None and _same_file(out, one):
            raise GanbenchError(f"--out: got {shown(out)}, which is read; name another file")
    if not folder and out.exists() and not _begins(out, ours):
        raise GanbenchError(
            f"--out: got {shown(out)}, which is there and no such result; name another file, or "
            "delete it"
        )


def _begins(out: Path, ours: bytes | None) -> bool:
    """Whether a file begins as ours do, or is empty: the workflow leaves empty ones."""
    with open_input(out, LARGEST_FILE, "name another file as --out") as file:
        start = file.read(len(ours or b"x"))
    return not start or start == ours


def _same_file(out: Path, one: Path) -> bool:
    both_there = out.exists() and one.exists()
    return out.absolute() == one.absolute() or (both_there and out.samefile(one))


def _unwritable(out: Path, folder: bool) -> str:
    """Why a path cannot be written; empty if it can."""
    try:
        if os.path.lexists(out):
            if folder != out.is_dir():
                return "which is no folder" if folder else "which is a folder"
            if not folder and not out.is_file():
                return "which is no regular file"
        above = out if folder else out.parent
        # A name too long for the file system is refused here, with that of the temporary file.
        temporary_path(out).exists()
        while not os.path.lexists(above):
            above = above.parent
    except (OSError, ValueError) as problem:
        return f"which cannot be written ({reason(problem)})"
    if not above.is_dir():
        return f"but {shown(above)} is no folder"
    try:
        # Modes do not tell: on a network, or below /proc, writing fails whatever they say.
        with tempfile.TemporaryFile(dir=above):
            return ""
    except OSError as problem:
        return f"but {shown(above)} cannot be written ({reason(problem)})"


def temporary_path(path: Path) -> Path:
    """Returns the name that `path` has until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`; what was written there takes its name at the end.

    The file's mode follows the umask, whoever wrote it. What a killed process left of an earlier
    attempt is swept first; a lock tells it from what another process is writing.

    Raises:
        GanbenchError: the folder cannot be written, or the disk is full.
    """
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with open(temporary, "wb") as lock:
            mode = os.fstat(lock.fileno()).st_mode
            _try_lock(lock.fileno())
            yield temporary
            temporary.chmod(mode & 0o7777)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        # A library that writes part of a file and stops has no number for it.
        why = error.strerror or (f"the disk or quota is full: {error}")
        raise GanbenchError(
            f"{path}: cannot be written ({why}); free some space or choose another folder"
        ) from error
    finally:
        # Asked first, because unlink fails in a folder that is none, or is read-only.
        if os.path.exists(temporary):
            temporary.unlink()


def _sweep(path: Path) -> None:
    """Deletes temporary files of `path` that no process writes any more."""
    name = re.compile(re.escape(f".{path.name}.") + r"\d+\.tmp")
    for old in path.parent.iterdir():
        if name.fullmatch(old.name) and old.is_file() and not old.is_symlink():
            with open(old, "rb") as file:
                if _try_lock(file.fileno()):
                    old.unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool:
    """Whether the lock is ours now; a file system without locks counts as another's."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Makes a new name last: a file's own sync does not cover it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keeps a folder for this process; a process that is killed leaves no lock behind.

    Raises:
        GanbenchError: another process has it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise GanbenchError(
            f"{folder}: cannot be written ({error.strerror}); "
            "free some space or choose another folder"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GanbenchError(
                f"{folder}: another `ganbench train` is at work here; wait until it has ended, "
                "or stop it"
            ) from None
        except OSError as error:
            print(
                f"{folder}: cannot be locked ({error.strerror}); see that no other `ganbench "
                "train` writes there",
                file=sys.stderr,
            )
        yield
    finally:
        os.close(descriptor)
