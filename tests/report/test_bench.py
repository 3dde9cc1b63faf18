"""The benchmarks' table and figure from a file of pytest-benchmark."""

import json
from pathlib import Path

import pandas as pd
import pytest

from ganbench.errors import GanbenchError
from ganbench.report import bench

RIVAL = {"ms": 40.0, "ratio": 1.6, "low": 1.5, "high": 1.75}
INFO = {
    "group": "training update", "work": "mnist", "precision": "float32", "ours_ms": 25.0,
    "shapes": "batch 100 x 784", "times": "median",
    "calls_per_s": 40.0, "images_per_s": 4000.0, "rounds": 15,
    "rivals": {"plain": RIVAL, "floor": RIVAL | {"ratio": 0.8, "low": 0.7, "high": 0.9}},
    "absent": {"jax": "JAX is not installed"}, "device": "a processor", "threads": 1,
    "commit": "0123456789abcdef", "dirty": False,
    "versions": {"python": "3.11", "torch": "2", "triton": "3", "numpy": "2", "jax": "none"},
}  # fmt: skip


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    loading = INFO | {"group": "data loading", "images_per_s": None}
    path.write_text(json.dumps({"benchmarks": [{"extra_info": INFO}, {"extra_info": loading}]}))
    return path


def test_every_row_has_its_numbers_and_its_machine(benchmarks: Path) -> None:
    frame = bench.rows(benchmarks)
    assert list(frame["against"]) == ["plain", "floor", "jax"] * 2
    assert list(frame["ratio"][:2]) == [1.6, 0.8]
    assert set(frame["device"]) == {"a processor"}
    assert set(frame["commit"]) == {"0123456789abcdef"}
    assert not frame[["python", "torch", "numpy", "jax", "threads"]].isna().to_numpy().any()


def test_table_says_ratio_interval_and_what_is_missing(benchmarks: Path) -> None:
    cells = bench.table(bench.rows(benchmarks)).rows
    assert cells[0][1] == "batch 100 x 784"
    assert (cells[0][0], *cells[0][2:9]) == (
        "training update: mnist", "float32", "plain", "25", "40", "1.60 [1.50, 1.75]", "40",
        "4e+03",
    )  # fmt: skip
    assert cells[2][5:7] == ("-", "JAX is not installed")
    assert cells[3][8] == "-"
    assert all("a processor; python 3.11 torch 2" in row[-1] for row in cells)


def test_a_file_of_older_times_says_that_its_ratios_are_others(tmp_path: Path) -> None:
    older = {key: value for key, value in INFO.items() if key not in ("shapes", "times")}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"benchmarks": [{"extra_info": older}]}))
    table = bench.table(bench.rows(path))
    assert table.rows[0][1] == "not recorded"
    assert "need not be that of the times" in table.notes[0]


def test_all_files_are_written_and_repeatable(benchmarks: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        bench.build(benchmarks, tmp_path / folder)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {f"bench.{suffix}" for suffix in ("csv", "md", "html", "tex", "svg", "png")}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert len(pd.read_csv(tmp_path / "one" / "bench.csv")) == 6


@pytest.mark.parametrize("content", ["{}", "nothing", None])
def test_another_file_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "other.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GanbenchError, match=r"other.json: .*; write it with pytest benchmarks"):
        bench.rows(path)
