"""The data directory, and how the published files get there."""

import os
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from ganbench.catalogue import DATASETS, Archive, DataFile
from ganbench.data.registry import file_path, file_paths, published, supplied, verified
from ganbench.errors import DataError, DataNotAvailableError
from ganbench.inputs import LARGEST_FILE, missing, open_input, reason, shown
from ganbench.provenance import atomic_path


def data_directory(flag: Path | None) -> Path:
    """Returns where data sets lie: the flag, else GANBENCH_DATA, else the user's cache."""
    chosen = Path(flag or os.environ.get("GANBENCH_DATA") or pooch.os_cache("ganbench"))
    try:
        return chosen.expanduser()
    except RuntimeError:
        raise DataError(
            f"{shown(chosen)}: has no such home folder; give the whole path by --data-dir or "
            "GANBENCH_DATA"
        ) from None


def available(name: str, data_dir: Path) -> bool:
    """Returns whether the files of a data set are there; reads and downloads nothing."""
    return all(path.is_file() for path in file_paths(name, data_dir))


def fetch(name: str, data_dir: Path, progress: bool = True) -> None:
    """Downloads the files of a data set that are missing, and verifies those that are there.

    Files that are complete are never fetched again, so that a second run resumes the first.

    Args:
        name: a data set of `ganbench.catalogue.DATASETS`; one that ships inside a package needs
            nothing.
        data_dir: the data directory.
        progress: whether to draw a progress bar on stderr.

    Raises:
        DataNotAvailableError: no mirror can be reached, or the file is one its user must supply.
        DataError: a file is there but is not the published one, or the folder cannot be written.
    """
    facts = DATASETS[name]
    if facts.supplied:
        supplied(name, data_dir)
    elif facts.archive:
        _fetch_archive(name, facts.archive, data_dir, progress)
    else:
        for file, expected in facts.files.items():
            if missing(file_path(name, file, data_dir)):
                _fetch_file(data_dir / name / file, expected, facts.mirrors, progress)
            published(name, file, data_dir)


def _fetch_archive(name: str, archive: Archive, data_dir: Path, progress: bool) -> None:
    paths = file_paths(name, data_dir)
    wanted = {path.name: path for path in paths if missing(path)}
    if wanted:
        whole = data_dir / name / archive.name
        _fetch_file(whole, archive.file, DATASETS[name].mirrors, progress)
        _extract(whole, wanted)
    for path in paths:
        published(name, path.name, data_dir)


def _fetch_file(path: Path, expected: DataFile, mirrors: tuple[str, ...], progress: bool) -> None:
    if missing(path):
        _make_folder(path.parent)
        _download(path, expected, mirrors, progress)
    verified(path, expected)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from None


def _download(path: Path, expected: DataFile, mirrors: tuple[str, ...], progress: bool) -> None:
    """Tries one mirror after the other; only a whole, verified file gets the name `path`."""
    failures = []
    for mirror in mirrors:
        try:
            pooch.retrieve(
                mirror + path.name,
                known_hash=f"sha256:{expected.sha256}",
                fname=path.name,
                path=path.parent,
                progressbar=progress,
            )
            return
        except requests.RequestException as error:
            failures.append(f"{urlsplit(mirror).netloc}: {_reason(error)}")
        except OSError as error:
            # Requests looks for REQUESTS_CA_BUNDLE, which may be missing, before it connects.
            if "CA certificate bundle" in str(error):
                raise DataNotAvailableError(
                    f"{path}: cannot be downloaded ({reason(error)}); correct REQUESTS_CA_BUNDLE "
                    "or CURL_CA_BUNDLE"
                ) from None
            raise _not_writable(path.parent, error) from None
        except ValueError:
            failures.append(f"{urlsplit(mirror).netloc}: served another file (wrong sha256)")
    raise DataNotAvailableError(
        f"{path}: cannot be downloaded ({'; '.join(failures)}); check the network, or put the file "
        "there by hand"
    )


def _reason(error: requests.RequestException) -> str:
    """A few words: the full text of a refused connection is a paragraph."""
    if error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses; see HTTPS_PROXY and NO_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to your network's"
    if isinstance(error, requests.Timeout):
        return "timed out"
    known = isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError)
    return "no connection" if known else reason(error)


def _not_writable(folder: Path, error: OSError) -> DataError:
    # Pooch's own PermissionError is a paragraph without strerror.
    reason = error.strerror or type(error).__name__
    return DataError(
        f"{folder}: cannot be written ({reason}); choose another data directory by --data-dir or "
        "GANBENCH_DATA"
    )


def _extract(archive: Path, wanted: dict[str, Path]) -> None:
    """Writes the wanted members of the archive by our own names, whatever paths it has in it."""
    remedy = "delete it and run 'ganbench fetch'"
    with (
        open_input(archive, LARGEST_FILE, remedy, DataError) as file,
        tarfile.open(fileobj=file, mode="r:gz") as tar,
    ):
        for member in tar:
            path = wanted.get(Path(member.name).name)
            content = tar.extractfile(member) if path is not None and member.isfile() else None
            if path is None or content is None:
                continue
            with atomic_path(path) as temporary:
                temporary.write_bytes(content.read())
