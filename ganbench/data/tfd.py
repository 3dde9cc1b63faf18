"""The Toronto Face Database, and data arranged as it is: 48 x 48 grey faces in five folds."""

import zlib
from pathlib import Path

import numpy as np

from ganbench.archives import LARGEST_ARRAY, read_npz
from ganbench.data import matlab, registry
from ganbench.data.splits import Dataset, Fold, named_splits
from ganbench.errors import DataError
from ganbench.inputs import open_input, reason

FOLDS = 5
SIDE = 48
# Images of a split; measures need neighbours, blocks and a covariance.
FEWEST_TRAIN, FEWEST = 100, 20
UNLABELLED, VALIDATION, TEST = 0, 2, 3


def load_tfd(data_dir: Path) -> Dataset:
    """Reads TFD: trains on fold 0's unlabelled images, tests on every fold.

    Raises:
        DataError: the file is missing or is not arranged as TFD is.
    """
    path = registry.supplied("tfd", data_dir)
    arrays = _read_mat(path)
    return _split("tfd", path, arrays)


def load_faces48(data_dir: Path) -> Dataset:
    """Reads the stand-in for TFD.

    Raises:
        DataError: the file is missing or is not arranged as TFD is.
    """
    path = registry.supplied("faces48", data_dir)
    return _split("faces48", path, _read_npz(path))


def _read_mat(path: Path) -> dict[str, np.ndarray]:
    remedy = "copy it again from its source"
    with open_input(path, LARGEST_ARRAY, remedy, DataError) as file:
        try:
            return matlab.read_arrays(file, ("images", "folds", "labs_ex"))
        except matlab.Version73Error:
            raise DataError(
                f"{path}: is a MATLAB 7.3 file; save it again in version 5 or 7 (save -v7)"
            ) from None
        except (ValueError, MemoryError, zlib.error) as error:
            raise DataError(
                f"{path}: not a whole MATLAB file ({reason(error)}); {remedy}"
            ) from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    return read_npz(path, ("images", "folds"), "save it again with numpy.savez", DataError)


def _split(name: str, path: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    for key in ("images", "folds"):
        if key not in arrays:
            raise DataError(f"{path}: has no array '{key}'; {_remedy(name)}")
    images = _checked_images(name, path, arrays["images"])
    folds = _checked_folds(name, path, arrays["folds"], len(images))
    labels = _checked_labels(name, path, arrays.get("labs_ex"), folds)
    parts = tuple(_fold(images, folds[:, fold], labels) for fold in range(FOLDS))
    dataset = Dataset(name, 255.0, images[folds[:, 0] == UNLABELLED], None, parts)
    for split, pixels in named_splits(dataset):
        least = FEWEST_TRAIN if split == "train" else FEWEST
        if len(pixels) < least:
            raise DataError(
                f"{path}: {split}: got {len(pixels)} images, too few to measure anything; "
                f"give {least} or more"
            )
        if (pixels == pixels[0]).all():
            raise DataError(f"{path}: {split}: all are the same picture; give different ones")
    return dataset


def _fold(images: np.ndarray, part: np.ndarray, labels: np.ndarray | None) -> Fold:
    test = part == TEST
    test_labels = None if labels is None else labels[test].astype(np.uint8)
    return Fold(images[part == VALIDATION], images[test], test_labels)


def _checked_images(name: str, path: Path, images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8:
        raise DataError(
            f"{path}: images: should be uint8 pixels 0..255, got {images.dtype}; {_remedy(name)}"
        )
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        raise DataError(
            f"{path}: images: should be (N, {SIDE}, {SIDE}), got {images.shape}; {_remedy(name)}"
        )
    if (images == images[0]).all():
        raise DataError(f"{path}: images: all are the same picture; {_remedy(name)}")
    # MATLAB's files are in column order, in which gathering a batch is slow.
    return np.ascontiguousarray(images)[:, None]


def _checked_folds(name: str, path: Path, folds: np.ndarray, count: int) -> np.ndarray:
    if folds.shape != (count, FOLDS):
        raise DataError(
            f"{path}: folds: should be ({count}, {FOLDS}), got {folds.shape}; {_remedy(name)}"
        )
    if folds.dtype.kind not in "uif":
        raise DataError(f"{path}: folds: should be 0..3, got {folds.dtype}; {_remedy(name)}")
    if not np.isin(folds, range(4)).all():
        wrong = folds[~np.isin(folds, range(4))]
        raise DataError(f"{path}: folds: should be 0..3, got {wrong[0]}; {_remedy(name)}")
    if not (folds[:, 0] == UNLABELLED).any():
        raise DataError(f"{path}: folds: fold 0 has no unlabelled (0) images; {_remedy(name)}")
    for part, value in (("validation", VALIDATION), ("test", TEST)):
        empty = np.flatnonzero(~(folds == value).any(axis=0))
        if empty.size:
            raise DataError(
                f"{path}: folds: fold {empty[0]} has no {part} ({value}) images; {_remedy(name)}"
            )
    return folds


def _checked_labels(
    name: str, path: Path, labels: np.ndarray | None, folds: np.ndarray
) -> np.ndarray | None:
    if labels is None:
        return None
    labels = labels.ravel()
    if labels.dtype.kind not in "uif":
        raise DataError(f"{path}: labs_ex: should be 1..7, got {labels.dtype}; {_remedy(name)}")
    if labels.shape != (len(folds),):
        raise DataError(f"{path}: labs_ex: got {labels.size} labels; {_remedy(name)}")
    tested = labels[(folds == TEST).any(axis=1)]
    if not np.isin(tested, range(1, 8)).all():
        wrong = tested[~np.isin(tested, range(1, 8))][0]
        raise DataError(
            f"{path}: labs_ex: test images should have 1..7, got {wrong}; {_remedy(name)}"
        )
    return labels


def _remedy(name: str) -> str:
    return f"the file must have {registry.supplied_file(name).contents}"
