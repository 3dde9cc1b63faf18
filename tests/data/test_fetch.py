"""Downloads from servers on this machine; the crafted files are published by the catalogue."""

import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from socket import socket

import pooch
import pytest
import requests

from ganbench.catalogue import DATASETS, Archive
from ganbench.data.fetch import fetch
from ganbench.data.registry import file_paths
from ganbench.errors import DataError, DataNotAvailableError

from .conftest import described
from .mirror import Mirror, serving

MNIST = {name: f"content of {name}".encode() for name in DATASETS["mnist"].files}
CIFAR10 = {name: f"content of {name}".encode() for name in DATASETS["cifar10"].files}
ARCHIVE = "cifar-10-binary.tar.gz"


def change(monkeypatch: pytest.MonkeyPatch, name: str, **facts: object) -> None:
    """Gives a data set other facts until the test ends."""
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], **facts))


@pytest.fixture
def mirrors(monkeypatch) -> Iterator[tuple[Mirror, Mirror]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as first, serving() as second:
        for name in ("mnist", "cifar10"):
            change(monkeypatch, name, mirrors=(first.url, second.url))
        yield first, second


@pytest.fixture
def published(tmp_path, monkeypatch):
    """MNIST's and CIFAR-10's files are a few bytes each."""
    for dataset, files in (("mnist", MNIST), ("cifar10", CIFAR10)):
        for name, content in files.items():
            path = tmp_path / name
            path.write_bytes(content)
            monkeypatch.setitem(DATASETS[dataset].files, name, described(path))


pytestmark = pytest.mark.usefixtures("published")


def closed_port() -> int:
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fill(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_missing_files_are_downloaded(tmp_path, mirrors):
    mirrors[0].files = MNIST
    fetch("mnist", tmp_path / "data")
    assert content(tmp_path / "data" / "mnist") == MNIST
    assert mirrors[1].asked == []


def test_complete_files_are_never_fetched_again(tmp_path, mirrors, monkeypatch):
    fill(tmp_path / "data" / "mnist", MNIST)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Not even the folder is touched: a shared data directory may be read-only.
    monkeypatch.setattr(Path, "mkdir", denied)
    fetch("mnist", tmp_path / "data")
    assert mirrors[0].asked == mirrors[1].asked == []


def test_a_second_run_fetches_only_what_is_missing(tmp_path, mirrors):
    present = list(MNIST)[:2]
    mirrors[0].files = {name: MNIST[name] for name in present}
    with pytest.raises(DataNotAvailableError, match=r"t10k-images-idx3-ubyte\.gz: cannot be"):
        fetch("mnist", tmp_path / "data")
    assert content(tmp_path / "data" / "mnist") == mirrors[0].files
    mirrors[0].files = MNIST
    mirrors[0].asked.clear()
    fetch("mnist", tmp_path / "data")
    assert mirrors[0].asked == list(MNIST)[2:]


def test_the_next_mirror_serves_what_one_does_not_have(tmp_path, mirrors):
    mirrors[1].files = MNIST
    fetch("mnist", tmp_path / "data")
    assert mirrors[0].asked == mirrors[1].asked == list(MNIST)


def test_a_mirror_that_serves_another_file_is_passed_over(tmp_path, mirrors):
    mirrors[0].files = dict.fromkeys(MNIST, b"please log in to this network")
    mirrors[1].files = MNIST
    fetch("mnist", tmp_path / "data")
    assert content(tmp_path / "data" / "mnist") == MNIST


def test_a_download_that_breaks_off_leaves_nothing(tmp_path, mirrors):
    mirrors[0].files = MNIST
    mirrors[0].cut = set(MNIST)
    with pytest.raises(DataNotAvailableError, match=r"no connection; 127\.0\.0\.1:\d+: HTTP 404"):
        fetch("mnist", tmp_path / "data")
    assert content(tmp_path / "data" / "mnist") == {}


def test_every_mirror_is_named_when_none_serves(tmp_path, mirrors):
    mirrors[0].files = dict.fromkeys(MNIST, b"another file")
    path = tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz"
    with pytest.raises(DataNotAvailableError) as caught:
        fetch("mnist", tmp_path / "data")
    first, second = (f"127.0.0.1:{mirror.server_port}" for mirror in mirrors)
    assert str(caught.value) == (
        f"{path}: cannot be downloaded ({first}: served another file (wrong sha256); "
        f"{second}: HTTP 404); check the network, or put the file there by hand"
    )


def test_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    port = closed_port()
    change(monkeypatch, "mnist", mirrors=(f"http://127.0.0.1:{port}/",))
    path = tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz"
    with pytest.raises(DataNotAvailableError) as caught:
        fetch("mnist", tmp_path / "data")
    assert str(caught.value) == (
        f"{path}: cannot be downloaded (127.0.0.1:{port}: no connection); "
        "check the network, or put the file there by hand"
    )


@pytest.mark.parametrize(
    ("wrong", "problem"), [(b"t" * 100, "wrong checksum, got sha256 "), (b"", "truncated, got 0 ")]
)
def test_a_wrong_file_is_named_and_never_overwritten(tmp_path, mirrors, wrong, problem):
    mirrors[0].files = MNIST
    name = "t10k-labels-idx1-ubyte.gz"
    fill(tmp_path / "data" / "mnist", MNIST | {name: wrong})
    path = tmp_path / "data" / "mnist" / name
    with pytest.raises(DataError) as caught:
        fetch("mnist", tmp_path / "data")
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert str(caught.value).endswith("; delete it and run 'ganbench fetch'")
    assert path.read_bytes() == wrong
    assert mirrors[0].asked == []


def test_a_data_directory_that_cannot_be_made(tmp_path, mirrors):
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        fetch("mnist", tmp_path / "data")
    assert str(caught.value) == (
        f"{tmp_path / 'data' / 'mnist'}: cannot be written (Not a directory); "
        "choose another data directory by --data-dir or GANBENCH_DATA"
    )
    assert mirrors[0].asked == []


def test_a_read_only_data_directory(tmp_path, mirrors, monkeypatch):
    """Tests may run as a user whom permissions do not stop."""
    mirrors[0].files = MNIST
    (tmp_path / "data" / "mnist").mkdir(parents=True)

    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pooch.utils.tempfile, "NamedTemporaryFile", denied)
    with pytest.raises(DataError) as caught:
        fetch("mnist", tmp_path / "data")
    assert str(caught.value) == (
        f"{tmp_path / 'data' / 'mnist'}: cannot be written (PermissionError); "
        "choose another data directory by --data-dir or GANBENCH_DATA"
    )


def test_progress_is_shown_on_request(tmp_path, mirrors, capsys):
    mirrors[0].files = MNIST
    fetch("mnist", tmp_path / "shown", progress=True)
    assert "100%" in capsys.readouterr().err
    fetch("mnist", tmp_path / "hidden", progress=False)
    assert "%" not in capsys.readouterr().err


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
        link = tarfile.TarInfo("links/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path, monkeypatch) -> bytes:
    """CIFAR-10 as published, and members that try to leave the data directory."""
    members = {f"cifar-10-batches-bin/{name}": data for name, data in CIFAR10.items()}
    data = archive_of(members | {"../escaped.bin": b"", f"{tmp_path}/absolute.bin": b""})
    path = tmp_path / "archive"
    path.write_bytes(data)
    change(monkeypatch, "cifar10", archive=Archive(ARCHIVE, described(path)))
    return data


def test_cifar10_is_taken_out_of_its_archive(tmp_path, mirrors, archive):
    mirrors[1].files = {ARCHIVE: archive}
    fetch("cifar10", tmp_path / "data")
    actual = content(tmp_path / "data" / "cifar10")
    assert actual == CIFAR10 | {ARCHIVE: archive}
    assert not (tmp_path / "data" / "escaped.bin").exists()
    assert not (tmp_path / "absolute.bin").exists()


def test_complete_cifar10_needs_no_archive(tmp_path, mirrors):
    fill(tmp_path / "data" / "cifar10", CIFAR10)
    fetch("cifar10", tmp_path / "data")
    assert mirrors[0].asked == []


def test_only_missing_files_are_taken_from_the_archive(tmp_path, mirrors, archive):
    kept = dict(CIFAR10)
    del kept["data_batch_2.bin"]
    fill(tmp_path / "data" / "cifar10", kept | {ARCHIVE: archive})
    before = {path.name: path.stat().st_ino for path in (tmp_path / "data" / "cifar10").iterdir()}
    fetch("cifar10", tmp_path / "data")
    after = {path.name: path.stat().st_ino for path in (tmp_path / "data" / "cifar10").iterdir()}
    assert mirrors[0].asked == []
    assert after.keys() - before.keys() == {"data_batch_2.bin"}
    assert before.items() <= after.items()


@pytest.mark.usefixtures("mirrors")
def test_a_wrong_archive_is_named_and_never_overwritten(tmp_path, archive):
    wrong = bytes(len(archive))
    path = tmp_path / "data" / "cifar10" / ARCHIVE
    fill(path.parent, {path.name: wrong})
    with pytest.raises(DataError, match=f"{path.name}: wrong checksum, got sha256 "):
        fetch("cifar10", tmp_path / "data")
    assert content(path.parent) == {path.name: wrong}


@pytest.mark.usefixtures("mirrors")
def test_a_wrong_cifar10_file_is_named(tmp_path):
    fill(
        tmp_path / "data" / "cifar10",
        CIFAR10 | {"test_batch.bin": b"another, longer file altogether"},
    )
    with pytest.raises(DataError, match=r"test_batch\.bin: wrong checksum, got sha256 "):
        fetch("cifar10", tmp_path / "data")


@pytest.mark.parametrize("name", ["tfd", "faces48"])
def test_what_cannot_be_downloaded_must_be_supplied(tmp_path, name):
    with pytest.raises(DataNotAvailableError, match="is missing and cannot be downloaded; "):
        fetch(name, tmp_path)
    (path,) = file_paths(name, tmp_path)
    fill(path.parent, {path.name: b""})
    fetch(name, tmp_path)


@pytest.mark.parametrize("name", ["digits", "patches_grey", "patches_rgb"])
def test_what_ships_inside_packages_needs_nothing(tmp_path, name):
    fetch(name, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("place", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_an_unpacked_archive_is_used_where_it_lies(tmp_path, mirrors, place):
    fill(tmp_path / "data" / place, CIFAR10)
    fetch("cifar10", tmp_path / "data")
    assert mirrors[0].asked == []
    assert {path.parent for path in file_paths("cifar10", tmp_path / "data")} == {
        tmp_path / "data" / place
    }


@pytest.mark.usefixtures("mirrors")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError("self-signed"), "its certificate is not trusted; set REQU"),
        (requests.exceptions.ProxyError("407"), "the proxy refuses; see HTTPS_PROXY and NO_PROXY"),
        (requests.exceptions.ConnectTimeout("slow"), "timed out"),
        (requests.exceptions.InvalidSchema("no adapter for x"), "no adapter for x"),
    ],
)
def test_what_hinders_a_download_is_named(tmp_path, monkeypatch, error, words):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(pooch, "retrieve", failing)
    with pytest.raises(DataNotAvailableError) as caught:
        fetch("mnist", tmp_path / "data")
    assert words in str(caught.value)


@pytest.mark.usefixtures("mirrors")
def test_a_missing_certificate_file_is_no_read_only_folder(tmp_path, monkeypatch):
    change(monkeypatch, "mnist", mirrors=("https://127.0.0.1:9/",))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(DataNotAvailableError, match=r"correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDL"):
        fetch("mnist", tmp_path / "data")
