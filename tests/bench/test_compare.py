"""The gate: its rule, its order, what it skips, how it fails."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ganbench.bench import compare, gate
from ganbench.errors import GanbenchError

# Ratios of seven pairs on a busy machine around a true one.
SPREAD = (0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03)
BASE_MS = [10.0] * len(SPREAD)


def comparison(true: float, spread: tuple[float, ...] = SPREAD) -> compare.Comparison:
    head = [10.0 * true * factor for factor in spread]
    return compare.Comparison("x", BASE_MS, head, compare.ratio(BASE_MS, head))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces the processes: what each tree would find, and the order of the runs."""
    state: dict[str, Any] = {"base": {"dropout": 1.0}, "head": {"dropout": 1.0}, "order": []}

    def measure(tree: Path, names: list[str]) -> dict[str, Any]:
        state["order"].append(tree.name)
        return {name: state[tree.name].get(name, 1.0) for name in names}

    monkeypatch.setattr(compare, "measure", measure)
    return state


def test_names_are_those_of_the_gate() -> None:
    assert tuple(gate.BENCHMARKS) == compare.NAMES


def test_slower_needs_the_median_and_the_bound() -> None:
    assert comparison(1.15).slower
    assert not comparison(1.0).slower
    assert not comparison(1.09).slower  # the median is below the limit
    noisy = (0.8, 0.85, 0.9, 1.0, 1.1, 1.15, 1.2)
    assert comparison(1.15, noisy).ratio.ratio > compare.LIMIT
    assert not comparison(1.15, noisy).slower  # the bound is below its limit


def test_each_tree_goes_first_as_often(runs: dict[str, Any], tmp_path: Path) -> None:
    actual = compare.compare(tmp_path, tmp_path, ["dropout"], 4)
    assert runs["order"] == ["head", "base", "base", "head"] * 2
    assert actual[0].base_ms == [1000.0] * 4


def test_what_the_base_cannot_run_is_skipped_with_its_reason(
    runs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs["base"]["dropout"] = "ImportError: no dropout"
    actual = compare.compare(tmp_path, tmp_path, ["dropout", "parzen"], 3)
    assert [one.name for one in actual] == ["parzen"]
    assert "dropout: skipped, the base cannot run it (ImportError: no dropout)" in (
        capsys.readouterr().out
    )


def test_what_the_head_cannot_run_is_an_error(runs: dict[str, Any], tmp_path: Path) -> None:
    runs["head"]["dropout"] = "TypeError: two arguments"
    with pytest.raises(GanbenchError, match=r"dropout: fails in this tree \(TypeError: two arg"):
        compare.compare(tmp_path, tmp_path, ["dropout"], 3)


def test_a_slower_head_fails_in_one_line(
    runs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    compare.main("HEAD", 3, "dropout")
    assert "ratio 1.000 [1.000, 1.000] over 3 pairs: ok" in capsys.readouterr().out
    runs["head"]["dropout"] = 1.15
    with pytest.raises(compare.SlowerError, match=r"dropout: takes 1\.15 times as long") as caught:
        compare.main("HEAD", 3, "dropout")
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert "dropout: 1150.00 ms, base 1000.00 ms, ratio 1.150" in capsys.readouterr().out


def test_wrong_input_is_named() -> None:
    with pytest.raises(GanbenchError, match=r"--base: got 'nowhere', which is no commit of"):
        compare.main("nowhere", 3, "")
    with pytest.raises(GanbenchError, match=r"-k: got 'pool', .* choose from mnist_update, drop"):
        compare.main("HEAD", 3, "pool")


def test_base_is_checked_out_and_taken_away() -> None:
    with compare.base_tree("HEAD") as folder:
        assert (folder / "ganbench" / "__init__.py").is_file()
        assert (folder / "kernels").is_dir()
    assert not folder.exists()
    listed = ["git", "worktree", "list"]
    shown = subprocess.run(listed, cwd=compare.ROOT, capture_output=True, text=True, check=True)
    assert str(folder) not in shown.stdout


def test_a_run_measures_the_tree_it_is_given(tmp_path: Path) -> None:
    """A tree that only says where it is: an empty package with the gate's one import."""
    for package in ("ganbench", "kernels"):
        (tmp_path / "tree" / package).mkdir(parents=True)
        (tmp_path / "tree" / package / "__init__.py").write_text("")
    errors = tmp_path / "tree" / "ganbench" / "errors.py"
    errors.write_text("class GanbenchError(Exception): pass")
    shim = compare._shim(tmp_path / "tree", tmp_path / "base")
    actual = compare.measure(shim, ["dropout"])
    assert str(actual["dropout"]).startswith("AttributeError: module 'ganbench_kernels' has no")


def test_a_broken_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stderr = "Traceback ...\nRuntimeError: broken tree\n"
    done = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(compare.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(GanbenchError, match=r"base: a run failed \(RuntimeError: broken tree\)"):
        compare.measure(tmp_path / "base", [])
    done.returncode, done.stdout = 0, '{"package": "/elsewhere/ganbench", "seconds": {}}'
    with pytest.raises(GanbenchError, match=r"base: imported /elsewhere/ganbench; unset"):
        compare.measure(tmp_path / "base", [])
