"""Loads a data set by its name."""

from importlib import import_module
from pathlib import Path

from ganbench.catalogue import DATASETS
from ganbench.data.splits import Dataset, Fold, named_splits, split_digests

__all__ = ["Dataset", "Fold", "load", "named_splits", "split_digests"]


def load(name: str, data_dir: Path) -> Dataset:
    """Reads a data set, after checking that its files are what they should be.

    Args:
        name: a data set of `ganbench.catalogue.DATASETS`.
        data_dir: the data directory; data sets that ship inside packages do not look there.

    Raises:
        DataNotAvailableError: a file is missing.
        DataError: a file is not what it should be.
    """
    # By name, so that a loader is named once, in the catalogue. The digest of the code cannot
    # follow such an import: `BY_NAME` in `ganbench/provenance.py` tells it.
    module, _, function = DATASETS[name].loader.partition(":")
    return getattr(import_module(f"ganbench.data.{module}"), function)(data_dir)
