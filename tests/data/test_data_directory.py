"""The parts of `ganbench.data.fetch` that need no server."""

from pathlib import Path

import pooch
import pytest

from ganbench.data.fetch import available, data_directory
from ganbench.errors import DataError


def test_the_flag_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA", "/from/environment")
    assert data_directory(Path("/from/flag")) == Path("/from/flag")
    assert data_directory(None) == Path("/from/environment")


@pytest.mark.parametrize("value", [None, ""])
def test_the_default_is_the_cache_of_the_user(monkeypatch, value):
    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("GANBENCH_DATA", value)
    assert data_directory(None) == Path(pooch.os_cache("ganbench"))


def test_the_home_folder_may_be_abbreviated(monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA", "~/data")
    assert data_directory(None) == Path.home() / "data"


def test_available(tmp_path):
    assert available("digits", tmp_path)
    assert available("patches_grey", tmp_path)
    assert not available("faces48", tmp_path)
    assert not available("mnist", tmp_path)
    (tmp_path / "faces48").mkdir()
    (tmp_path / "faces48" / "faces48.npz").touch()
    assert available("faces48", tmp_path)


def test_all_files_make_a_data_set_available(tmp_path):
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    (tmp_path / "cifar10").mkdir()
    for name in names:
        (tmp_path / "cifar10" / name).touch()
    assert not available("cifar10", tmp_path)
    (tmp_path / "cifar10" / "test_batch.bin").touch()
    assert available("cifar10", tmp_path)


def test_an_unknown_home_is_named():
    with pytest.raises(DataError, match=r"^~nobody_here/x: has no such home folder; give the"):
        data_directory(Path("~nobody_here/x"))
