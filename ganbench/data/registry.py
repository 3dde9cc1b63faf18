"""Which files a data set is made of, where they come from, and how they are recognised."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import DataError, DataNotAvailableError
from ganbench.provenance import file_sha256


@dataclass(frozen=True)
class DataFile:
    """A published file that never changes."""

    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class SuppliedFile:
    """A file that cannot be downloaded."""

    name: str
    contents: str
    source: str


# By data set and file name; the files lie in the data directory's folder of the data set's name.
FILES = {
    "mnist": {
        "train-images-idx3-ubyte.gz": DataFile(
            9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": DataFile(
            28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte.gz": DataFile(
            1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": DataFile(
            4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
    "cifar10": {
        "data_batch_1.bin": DataFile(
            30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
        ),
        "data_batch_2.bin": DataFile(
            30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
        ),
        "data_batch_3.bin": DataFile(
            30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
        ),
        "data_batch_4.bin": DataFile(
            30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
        ),
        "data_batch_5.bin": DataFile(
            30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
        ),
        "test_batch.bin": DataFile(
            30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"
        ),
    },
}
# The published archive that holds CIFAR-10's files.
CIFAR10_ARCHIVE_NAME = "cifar-10-binary.tar.gz"
CIFAR10_ARCHIVE = DataFile(
    170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
# Folders that serve MNIST's four files, and CIFAR-10's archive; tried in this order.
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    "cifar10": (
        "https://www.cs.toronto.edu/~kriz/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ),
}
TFD_ARRAYS = (
    "images (N, 48, 48) uint8 and folds (N, 5) with 0 unlabelled, 1 train, 2 validation, 3 test"
)
SUPPLIED = {
    "tfd": SuppliedFile(
        "TFD_48x48.mat",
        f"{TFD_ARRAYS}, and labs_ex (N) with the expression 1..7, or -1 for none",
        "ask the authors of the Toronto Face Database for it",
    ),
    "faces48": SuppliedFile(
        "faces48.npz", TFD_ARRAYS, "make it of grey face photographs, arranged as TFD is"
    ),
}


def file_paths(name: str, data_dir: Path) -> list[Path]:
    """Returns the files a data set needs; none for one that ships inside a package."""
    names = [SUPPLIED[name].name] if name in SUPPLIED else list(FILES.get(name, ()))
    return [data_dir / name / file for file in names]


def verified(path: Path, expected: DataFile) -> Path:
    """Returns `path` after checking that it is the published file.

    Raises:
        DataNotAvailableError: it is missing.
        DataError: it is truncated or another file.
    """
    if not path.is_file():
        raise DataNotAvailableError(
            f"{path}: is missing; run 'ganbench fetch', or set GANBENCH_DATA or --data-dir to the "
            "folder that has it"
        )
    size = path.stat().st_size
    if size < expected.size:
        raise DataError(
            f"{path}: truncated, got {size} bytes of {expected.size}; "
            "delete it and run 'ganbench fetch'"
        )
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); make it readable for yourself"
        ) from None
    if digest != expected.sha256:
        raise DataError(
            f"{path}: wrong checksum, got sha256 {digest}, expected {expected.sha256}; "
            "delete it and run 'ganbench fetch'"
        )
    return path


def supplied(name: str, data_dir: Path) -> Path:
    """Returns the path of a file that only its user can supply.

    Raises:
        DataNotAvailableError: it is missing; says what it must contain and where to put it.
    """
    file = SUPPLIED[name]
    path = data_dir / name / file.name
    if not path.is_file():
        raise DataNotAvailableError(
            f"{path}: is missing and cannot be downloaded; {file.source} and put it there: it must "
            f"have {file.contents}"
        )
    return path
