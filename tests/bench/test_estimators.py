"""Estimators of one density: against each other, and what the table says of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ganbench.bench import estimators
from ganbench.bench.estimators import TRUTH, Task
from ganbench.data import digits
from ganbench.errors import GanbenchError

# Float32 distances (about 1e-6 of a square of 10) times 1 / (2 sigma^2) <= 50.
NATS = 1e-3
# Sums of the same float64 numbers in another order.
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def task() -> Task:
    return estimators.make_task(None, "digits", 60, Path())


@pytest.fixture(scope="module")
def rows(task: Task) -> dict[str, dict]:
    return {row["estimator"]: row for row in estimators.compare(task)}


def test_the_truth_is_a_mixture_of_normals() -> None:
    stream = torch.Generator().manual_seed(0)
    task = Task(torch.rand(7, 2, generator=stream), torch.rand(5, 2, generator=stream), 0.3)
    for x, actual in zip(task.points.double(), estimators.explicit(task), strict=True):
        densities = [
            stats.norm.pdf(x[0], c[0], 0.3) * stats.norm.pdf(x[1], c[1], 0.3)
            for c in task.centers.double()
        ]
        assert actual == pytest.approx(np.log(np.mean(densities)), abs=ROUNDING)


def test_ours_is_right(rows: dict[str, dict]) -> None:
    assert rows["ganbench, float32"]["max_error_nats"] < NATS
    assert rows[TRUTH]["max_error_nats"] == 0


@pytest.mark.parametrize("tree", ["kd_tree", "ball_tree"])
def test_one_leaf_makes_scikit_learn_right_and_its_defaults_do_not(
    rows: dict[str, dict], task: Task, tree: str
) -> None:
    """If the last fails, scikit-learn has fixed it: say so in docs/estimators.md."""
    name = f"scikit-learn KernelDensity, {tree}"
    exact = rows[f"{name}, leaf_size={len(task.centers)}"]
    assert exact["max_error_nats"] < ROUNDING
    for settings in ("defaults", "rtol=0.0001", "rtol=1e-08", "atol=1e-10"):
        assert rows[f"{name}, {settings}"]["mean_error_nats"] > 1, settings


def test_scipy_says_why_not(rows: dict[str, dict]) -> None:
    assert "lower-dimensional subspace" in rows["scipy gaussian_kde"]["reason"]


def test_scipy_agrees_where_its_kernel_is_round() -> None:
    """Centres whose covariance is the unit matrix."""
    points = np.random.default_rng(0).normal(size=(50, 2))
    white = np.linalg.solve(np.linalg.cholesky(np.cov(points.T)), points.T).T
    task = Task(torch.from_numpy(white), torch.from_numpy(points[:5]), 0.3)
    assert estimators.scipy_kde(task) == pytest.approx(estimators.explicit(task), abs=ROUNDING)
    stretched = Task(task.centers * torch.tensor([1.0, 2.0]), task.points, 0.3)
    with pytest.raises(GanbenchError, match="the data's covariance, scaled: another estimator"):
        estimators.scipy_kde(stretched)


def test_an_absent_rival_says_so(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GanbenchError, match=r"^not installed$"):
        estimators.keops(task)


def test_the_table_says_what_was_compared(task: Task, rows: dict[str, dict]) -> None:
    frame = pd.DataFrame(list(rows.values()), columns=list(estimators.COLUMNS))
    shown = estimators.table(frame, task, "training images of digits")
    assert (
        f"first 60 test images under 1200 training images of digits at sigma {task.sigma:.4f}"
        in shown
    )
    assert re.search(r"^\| ganbench, float32 +\| [+-]\d", shown, re.MULTILINE)
    assert "\nscipy gaussian_kde: The data appears to lie" in shown


def test_files_are_written(tmp_path: Path) -> None:
    samples = digits.load().train[:50].reshape(50, 64) / 16
    np.save(tmp_path / "s.npy", samples)
    estimators.main(tmp_path / "out", tmp_path / "s.npy", "digits", 20, None)
    frame = pd.read_csv(tmp_path / "out" / "estimators.csv")
    assert tuple(frame.columns) == estimators.COLUMNS
    assert frame["estimator"][0] == TRUTH
    table = (tmp_path / "out" / "estimators.md").read_text()
    assert "first 20 test images under 50 s.npy of digits" in table
