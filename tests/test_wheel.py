"""The wheel, built from the source distribution and installed outside any checkout, is whole."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganbench import __version__

ROOT = Path(__file__).parent.parent
# What a build reads; results alone are 50 MiB.
SOURCES = (
    *("configs", "docs", "ganbench", "kernels", "paper", "typings"),
    *("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "DEVIATIONS.md"),
    *("constraints.txt", "CITATION.cff", "CHANGELOG.md"),
)
COUNT = 10_000  # what the protocol takes
FROM_PYTHON = """
import ganbench
from ganbench.config import load_suite
from ganbench.inputs import SHIPPED
from ganbench.report.page import write_page
from ganbench.report.table1.claims import CLAIMS
assert "site-packages" in ganbench.__file__, ganbench.__file__
assert CLAIMS.is_file() and (SHIPPED / "DEVIATIONS.md").is_file()
assert load_suite(SHIPPED / "configs/suites/demo.yaml").name == "demo"
import ganbench_kernels
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Its output; this tree is out of sight."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    actual = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert actual.returncode == 0, actual.stderr
    return actual.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions, built without a network from a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, tree / name, symlinks=True, ignore=unwanted)
        else:
            shutil.copy2(source, tree / name)
    run(sys.executable, "-m", "build", "--no-isolation", tree, cwd=tree)
    return tree / "dist"


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel, and shares everything that it needs."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (wheel,) = dist.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps")
    run(*pip, "--no-index", wheel, cwd=folder)
    # A path in a .pth file is searched after site-packages, and its own .pth files are not read:
    # an editable installation of this tree stays out.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_wheel_holds_every_file_that_the_package_reads(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("configs/suites", "configs/experiments"):
        for path in (ROOT / folder).glob("*.yaml"):
            assert f"ganbench/shipped/{folder}/{path.name}" in names
    for name in ("paper/claims.yaml", "paper/main.typ", "likelihood.md", "DEVIATIONS.md"):
        assert f"ganbench/shipped/{name}" in names
    assert {"ganbench/py.typed", "ganbench_kernels/tuned/sm_90.json"} <= names
    (metadata,) = (name for name in names if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "Author: The ganbench authors" in text
    assert "Project-URL: Paper, https://arxiv.org/abs/1406.2661" in text
    assert "Classifier: Typing :: Typed" in text


@pytest.mark.slow
def test_it_works_outside_any_checkout(installed: Path, tmp_path: Path) -> None:
    ganbench = installed / "ganbench"
    assert run(ganbench, "--version", cwd=tmp_path) == f"ganbench {__version__}\n"
    run(installed / "python", "-c", FROM_PYTHON, cwd=tmp_path)
    assert "digits" in run(ganbench, "fetch", "digits", "--data-dir", tmp_path, cwd=tmp_path)
    suite = ("--suite", "configs/suites/demo.yaml")
    assert "no checkout" in run(ganbench, "doctor", *suite, "--device", "cpu", cwd=tmp_path)
    samples = np.random.default_rng(0).random((COUNT, 64), np.float32)
    np.save(tmp_path / "samples.npy", samples)
    shown = run(ganbench, "score", "samples.npy", "--dataset", "digits", cwd=tmp_path)
    assert "digits, protocol gan2014" in shown
    assert max(map(len, shown.splitlines())) <= 80
