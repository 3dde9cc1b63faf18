import os

import pytest

from ganbench.catalogue import DATASETS, DataFile
from ganbench.data import registry
from ganbench.data.registry import verified
from ganbench.errors import DataError, DataNotAvailableError

# sha256 of the three bytes abc, from the standard's own example.
ABC = DataFile(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_the_published_file_is_accepted(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert verified(path, ABC) == path


def test_missing(tmp_path):
    with pytest.raises(DataNotAvailableError) as caught:
        verified(tmp_path / "file", ABC)
    assert str(caught.value) == (
        f"{tmp_path / 'file'}: is missing; run 'ganbench fetch', or set GANBENCH_DATA or "
        "--data-dir to the folder that has it"
    )


def test_a_folder_of_its_name_is_not_the_file(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(DataError, match=r"file: cannot be read \(Is a directory\); put the"):
        verified(tmp_path / "file", ABC)


def test_truncated(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"ab")
    with pytest.raises(DataError) as caught:
        verified(path, ABC)
    assert str(caught.value) == (
        f"{path}: truncated, got 2 bytes of 3; delete it and run 'ganbench fetch'"
    )


@pytest.mark.parametrize("content", [b"abd", b"abcd"])
def test_wrong_checksum(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        verified(path, ABC)
    actual = {
        b"abd": "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9",
        b"abcd": "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
    }[content]
    assert str(caught.value) == (
        f"{path}: wrong checksum, got sha256 {actual}, expected {ABC.sha256}; "
        "delete it and run 'ganbench fetch'"
    )


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"abc")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(DataError) as caught:
        verified(path, ABC)
    assert str(caught.value) == (
        f"{path}: cannot be read (Permission denied); put the published file in its place"
    )


# Where users' files lie already, so that these names may never change.
ARRANGED = {
    "mnist": [
        f"mnist/{part}-ubyte.gz"
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3")
    ]
    + ["mnist/t10k-labels-idx1-ubyte.gz"],
    "cifar10": [f"cifar10/data_batch_{number}.bin" for number in range(1, 6)]
    + ["cifar10/test_batch.bin"],
    "tfd": ["tfd/TFD_48x48.mat"],
    "faces48": ["faces48/faces48.npz"],
    "digits": [],
}


@pytest.mark.parametrize("name", ARRANGED)
def test_the_data_directory_is_arranged_as_promised(tmp_path, name):
    paths = registry.file_paths(name, tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in paths] == ARRANGED[name]


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_is_downloaded_or_supplied_or_in_a_package(name):
    facts = DATASETS[name]
    assert not (facts.files and facts.supplied)
    assert bool(facts.files) == bool(facts.mirrors)
    assert facts.files or not facts.archive


@pytest.mark.parametrize("name", [name for name, facts in DATASETS.items() if facts.files])
def test_every_download_has_several_mirrors(name):
    mirrors = DATASETS[name].mirrors
    assert len(mirrors) >= 2
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in mirrors)
