"""Loads a data set by its name."""

from collections.abc import Callable
from pathlib import Path

from ganbench.data import cifar10, digits, mnist, patches, tfd
from ganbench.data.splits import Dataset, Fold, named_splits, split_digests

__all__ = ["Dataset", "Fold", "load", "named_splits", "split_digests"]

LOADERS: dict[str, Callable[[Path], Dataset]] = {
    "mnist": mnist.load,
    "cifar10": cifar10.load,
    "tfd": tfd.load_tfd,
    "faces48": tfd.load_faces48,
    "digits": lambda _: digits.load(),
    "patches_grey": lambda _: patches.load_grey(),
    "patches_rgb": lambda _: patches.load_rgb(),
}


def load(name: str, data_dir: Path) -> Dataset:
    """Reads a data set, after checking that its files are what they should be.

    Args:
        name: a data set of `ganbench.catalogue.DATASETS`.
        data_dir: the data directory; data sets that ship inside packages do not look there.

    Raises:
        DataNotAvailableError: a file is missing.
        DataError: a file is not what it should be.
    """
    return LOADERS[name](data_dir)
