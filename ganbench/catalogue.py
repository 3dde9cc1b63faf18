"""The data sets and their facts: sizes, folds, loaders, files, and where the files come from.

Plain values, so that settings, cost estimates and reports know a data set without reading it. A new
one gets an entry here, which names its loader in `ganbench.data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataFile:
    """A published file that never changes."""

    size: int  # bytes
    sha256: str
    unpacked: str = ""  # sha256 of what a .gz file holds, however it was packed


@dataclass(frozen=True)
class SuppliedFile:
    """A file that cannot be downloaded."""

    name: str
    contents: str
    source: str


@dataclass(frozen=True)
class Archive:
    """A published .tar.gz file that holds all files of a data set."""

    name: str
    file: DataFile


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set before it is read.

    Attributes:
        loader: "module:function" in `ganbench.data`; takes the data directory, returns a `Dataset`.
        images: training images.
        shape: of an image: channels, height, width in pixels.
        folds: pairs of validation and test images.
        files: published files by name, in the data directory's folder of the data set's name; none
            for a data set that ships inside a package.
        mirrors: folders (URLs that end in a slash) that serve the files, or the archive that holds
            them; tried in this order.
        layouts: where else the files may lie in the data directory, as other tools leave them;
            {file} stands for a file's name and {unpacked} for it without .gz.
        archive: what is downloaded instead of the single files, if they are published in one.
        supplied: the file that the user must supply, instead of `files`.
    """

    loader: str
    images: int
    shape: tuple[int, int, int]
    folds: int = 1
    files: Mapping[str, DataFile] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    archive: Archive | None = None
    supplied: SuppliedFile | None = None


TFD_ARRAYS = (
    "images (N, 48, 48) uint8 and folds (N, 5) with 0 unlabelled, 1 train, 2 validation, 3 test"
)

DATASETS: dict[str, DatasetFacts] = {
    "mnist": DatasetFacts(
        "mnist:load",
        50_000,
        (1, 28, 28),
        files={
            "train-images-idx3-ubyte.gz": DataFile(
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            "train-labels-idx1-ubyte.gz": DataFile(
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            "t10k-images-idx3-ubyte.gz": DataFile(
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            "t10k-labels-idx1-ubyte.gz": DataFile(
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://raw.githubusercontent.com/fgnt/mnist/master/",
        ),
        # Unpacked; torchvision's; Keras'.
        layouts=(
            "mnist/{unpacked}",
            "MNIST/raw/{file}",
            "MNIST/raw/{unpacked}",
            "mnist/mnist.npz",
            "mnist.npz",
        ),
    ),
    "cifar10": DatasetFacts(
        "cifar10:load",
        40_000,
        (3, 32, 32),
        files={
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
        mirrors=(
            "https://www.cs.toronto.edu/~kriz/",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
        ),
        # As the archive unpacks, here or beside; torchvision's are pickles, which are never read.
        layouts=("cifar10/cifar-10-batches-bin/{file}", "cifar-10-batches-bin/{file}"),
        archive=Archive(
            "cifar-10-binary.tar.gz",
            DataFile(
                170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
            ),
        ),
    ),
    # The training images of the full release.
    "tfd": DatasetFacts(
        "tfd:load_tfd",
        98_058,
        (1, 48, 48),
        folds=5,
        supplied=SuppliedFile(
            "TFD_48x48.mat",
            f"{TFD_ARRAYS}, and labs_ex (N) with the expression 1..7, or -1 for none",
            "ask the authors of the Toronto Face Database for it",
        ),
    ),
    "faces48": DatasetFacts(
        "tfd:load_faces48",
        16_000,
        (1, 48, 48),
        folds=5,
        supplied=SuppliedFile(
            "faces48.npz", TFD_ARRAYS, "make it of grey face photographs, arranged as TFD is"
        ),
    ),
    "digits": DatasetFacts("digits:load", 1_200, (1, 8, 8)),
    "patches_grey": DatasetFacts("patches:load_grey", 4_128, (1, 48, 48), folds=5),
    "patches_rgb": DatasetFacts("patches:load_rgb", 1_980, (3, 32, 32)),
}
