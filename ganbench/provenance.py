"""Where a number comes from: code, commit, versions, machine."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ganbench.errors import GanbenchError
from ganbench.inputs import LARGEST_FILE, open_input

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


@cache
def code_digest(stage: str) -> str:
    """Returns the sha256 of the syntax trees of every module of ours that a stage imports.

    Comments, docstrings and layout do not count.

    Args:
        stage: a key of `STAGES`.
    """
    digest = hashlib.sha256()
    for name, path in sorted(stage_modules(STAGES[stage]).items()):
        digest.update(f"{name}:{_tree(path)}".encode())
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
            waiting += _imports(path)
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


def _imports(path: Path) -> list[str]:
    """Names that a file imports; `from a import b` may mean the module a.b."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _tree(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[:] = body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def file_sha256(path: Path) -> str:
    """Returns the sha256 of a file's bytes, as hexadecimal digits.

    Raises:
        GanbenchError: it is missing, no regular file, or cannot be read.
    """
    with open_input(path, LARGEST_FILE, "give a file that can be read") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def git_state() -> tuple[str, bool]:
    """Returns the commit of the source tree, and whether it was changed.

    Outside a checkout the commit is what the environment variable GANBENCH_COMMIT says, else "".
    Only changes to tracked files outside results/ count: results are what runs write.
    """
    root = Path(__file__).parent.parent
    commit = _git(root, "rev-parse", "HEAD") or os.environ.get("GANBENCH_COMMIT", "")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return commit, bool(changed)


def _git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


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
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`; what was written there takes its name at the end.

    Raises:
        GanbenchError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise GanbenchError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free some space or choose another folder"
        ) from error
    finally:
        # Asked first, because unlink fails in a folder that is none, or is read-only.
        if os.path.exists(temporary):
            temporary.unlink()
