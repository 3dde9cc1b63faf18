import re

import numpy as np
import pytest
from scipy.io import savemat

from ganbench.data import tfd
from ganbench.data.datasets import load
from ganbench.errors import DataError, DataNotAvailableError

COUNT = 12
ARRAYS = (
    "images (N, 48, 48) uint8 and folds (N, 5) with 0 unlabelled, 1 train, 2 validation, 3 test"
)
NPZ_REMEDY = f"the file must have {ARRAYS}"
MAT_REMEDY = f"{NPZ_REMEDY}, and labs_ex (N) with the expression 1..7, or -1 for none"


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """The splits below are of a few images."""
    monkeypatch.setattr(tfd, "FEWEST_TRAIN", 1)
    monkeypatch.setattr(tfd, "FEWEST", 1)


@pytest.fixture
def arrays():
    """Two unlabelled images, then ten whose part (1, 2 or 3) moves on by one in each fold."""
    images = np.zeros((COUNT, 48, 48), np.uint8)
    images[:, 0, 0] = np.arange(COUNT)
    images[:, 1, 3] = 255
    labelled = (np.arange(10)[:, None] + np.arange(5)) % 3 + 1
    folds = np.concatenate([np.zeros((2, 5)), labelled]).astype(np.uint8)
    labels = np.array([-1, -1, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3])[:, None]
    return {"images": images, "folds": folds, "labs_ex": labels, "labs_id": np.ones((COUNT, 1))}


def write_mat(tmp_path, arrays, **options):
    path = tmp_path / "tfd" / "TFD_48x48.mat"
    path.parent.mkdir(exist_ok=True)
    savemat(path, arrays, **options)
    return path


def write_npz(tmp_path, arrays):
    path = tmp_path / "faces48" / "faces48.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{key: arrays[key] for key in arrays if key in ("images", "folds")})
    return path


def message(name, tmp_path) -> str:
    with pytest.raises(DataError) as caught:
        load(name, tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def numbers(images) -> list[int]:
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("name", ["tfd", "faces48"])
def test_five_folds(tmp_path, arrays, name):
    write_mat(tmp_path, arrays, do_compression=True)
    write_npz(tmp_path, arrays)
    dataset = load(name, tmp_path)
    assert (dataset.name, dataset.scale, dataset.train_labels) == (name, 255.0, None)
    assert dataset.train.shape == (2, 1, 48, 48)
    assert dataset.train.dtype == np.uint8
    assert numbers(dataset.train) == [0, 1]
    assert dataset.train[0, 0, 1, 3] == 255
    assert len(dataset.folds) == 5
    for number, fold in enumerate(dataset.folds):
        parts = [image % 3 + 1 for image in range(number, number + 10)]
        assert numbers(fold.validation) == [2 + i for i, part in enumerate(parts) if part == 2]
        assert numbers(fold.test) == [2 + i for i, part in enumerate(parts) if part == 3]


def test_training_images_are_those_of_the_first_fold(tmp_path, arrays):
    arrays["folds"][1, 1:] = 1
    write_npz(tmp_path, arrays)
    assert numbers(load("faces48", tmp_path).train) == [0, 1]


def test_images_are_contiguous(tmp_path, arrays):
    write_mat(tmp_path, arrays)
    dataset = load("tfd", tmp_path)
    assert dataset.train.flags.c_contiguous
    assert dataset.folds[2].test.flags.c_contiguous


def test_expressions_label_the_test_images(tmp_path, arrays):
    write_mat(tmp_path, arrays)
    write_npz(tmp_path, arrays)
    labels = load("tfd", tmp_path).folds[0].test_labels
    assert labels.tolist() == [3, 6, 2]
    assert labels.dtype == np.uint8
    assert load("faces48", tmp_path).folds[0].test_labels is None


def test_a_mat_without_expressions_has_no_labels(tmp_path, arrays):
    del arrays["labs_ex"]
    write_mat(tmp_path, arrays)
    assert load("tfd", tmp_path).folds[0].test_labels is None


def test_folds_may_be_the_doubles_that_matlab_saves(tmp_path, arrays):
    arrays["folds"] = arrays["folds"].astype(np.float64)
    write_mat(tmp_path, arrays)
    assert numbers(load("tfd", tmp_path).train) == [0, 1]


def test_missing_tfd(tmp_path):
    with pytest.raises(DataNotAvailableError) as caught:
        load("tfd", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'tfd' / 'TFD_48x48.mat'}: is missing and cannot be downloaded; ask the "
        f"authors of the Toronto Face Database for it and put it there: it must have {ARRAYS}, "
        "and labs_ex (N) with the expression 1..7, or -1 for none"
    )


def test_missing_faces48(tmp_path):
    with pytest.raises(DataNotAvailableError) as caught:
        load("faces48", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'faces48' / 'faces48.npz'}: is missing and cannot be downloaded; make it of "
        "grey face photographs, arranged as TFD is and put it there: it must have " + ARRAYS
    )


@pytest.mark.parametrize("kept", [0, 1, 100, 1000])
def test_truncated_mat(tmp_path, arrays, kept):
    path = write_mat(tmp_path, arrays)
    path.write_bytes(path.read_bytes()[:kept])
    assert re.fullmatch(
        f"{re.escape(str(path))}: not a whole MATLAB file \\(.+\\); copy it again from its source",
        message("tfd", tmp_path),
    )


def test_a_mat_of_version_7_3(tmp_path):
    path = tmp_path / "tfd" / "TFD_48x48.mat"
    path.parent.mkdir()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    assert message("tfd", tmp_path) == (
        f"{path}: is a MATLAB 7.3 file; save it again in version 5 or 7 (save -v7)"
    )


@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_truncated_npz(tmp_path, arrays, kept):
    path = write_npz(tmp_path, arrays)
    path.write_bytes(path.read_bytes()[:kept])
    assert message("faces48", tmp_path) == (
        f"{path}: cannot be read as .npz (File is not a zip file); save it again with numpy.savez"
    )


def test_damaged_npz(tmp_path, arrays):
    path = write_npz(tmp_path, arrays)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    assert message("faces48", tmp_path) == (
        f"{path}: cannot be read as .npz (Bad CRC-32 for file 'images.npy'); "
        "save it again with numpy.savez"
    )


class Bomb:
    """Unpickling it would be seen."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def test_an_npz_that_would_need_unpickling_is_refused(tmp_path, arrays):
    arrays["images"] = np.array([Bomb()], object)
    path = write_npz(tmp_path, arrays)
    assert message("faces48", tmp_path) == (
        f"{path}: cannot be read as .npz (values of type 'object'; give plain numbers, no "
        "objects); save it again with numpy.savez"
    )
    assert not Bomb.exploded


def test_a_pickle_is_refused(tmp_path, arrays):
    path = write_npz(tmp_path, arrays)
    path.write_bytes(np.array([Bomb()], object).dumps())
    assert message("faces48", tmp_path).startswith(f"{path}: cannot be read as .npz (")
    assert not Bomb.exploded


@pytest.mark.parametrize("key", ["images", "folds"])
def test_missing_arrays(tmp_path, arrays, key):
    del arrays[key]
    path = write_mat(tmp_path, arrays)
    assert message("tfd", tmp_path) == f"{path}: has no array '{key}'; {MAT_REMEDY}"
    path = write_npz(tmp_path, arrays)
    assert message("faces48", tmp_path) == f"{path}: has no array '{key}'; {NPZ_REMEDY}"


def change(arrays, key, index, value):
    arrays[key][index] = value


BAD_ARRAYS = {
    "unit interval": (
        lambda a: a.update(images=(a["images"] / 255.0)),
        "images: should be uint8 pixels 0..255, got float64",
    ),
    "wide integers": (
        lambda a: a.update(images=a["images"].astype(np.int16)),
        "images: should be uint8 pixels 0..255, got int16",
    ),
    "flat images": (
        lambda a: a.update(images=a["images"].reshape(COUNT, -1)),
        "images: should be (N, 48, 48), got (12, 2304)",
    ),
    "large images": (
        lambda a: a.update(images=np.zeros((COUNT, 96, 96), np.uint8)),
        "images: should be (N, 48, 48), got (12, 96, 96)",
    ),
    "no images": (
        lambda a: a.update(images=a["images"][:0]),
        "images: should be (N, 48, 48), got (0, 48, 48)",
    ),
    "four folds": (
        lambda a: a.update(folds=a["folds"][:, :4]),
        "folds: should be (12, 5), got (12, 4)",
    ),
    "too few folds rows": (
        lambda a: a.update(folds=a["folds"][1:]),
        "folds: should be (12, 5), got (11, 5)",
    ),
    "folds above 3": (
        lambda a: change(a, "folds", (3, 1), 4),
        "folds: should be 0..3, got 4",
    ),
    "folds below 0": (
        lambda a: a.update(folds=a["folds"].astype(np.int8) - 1),
        "folds: should be 0..3, got -1",
    ),
    "broken folds": (
        lambda a: a.update(folds=a["folds"] + 0.5),
        "folds: should be 0..3, got 0.5",
    ),
    "letters": (
        lambda a: a.update(folds=np.full((COUNT, 5), "a")),
        "folds: should be 0..3, got <U1",
    ),
    "black images": (
        lambda a: a["images"].fill(0),
        "images: all are the same picture",
    ),
    "complex folds": (
        lambda a: a.update(folds=a["folds"] + 0j),
        "folds: should be 0..3, got complex128",
    ),
    "no training images": (
        lambda a: change(a, "folds", slice(0, 2), 1),
        "folds: fold 0 has no unlabelled (0) images",
    ),
    "no validation images": (
        lambda a: change(a, "folds", (slice(2, None), 3), 3),
        "folds: fold 3 has no validation (2) images",
    ),
    "no test images": (
        lambda a: change(a, "folds", (slice(2, None), 4), 2),
        "folds: fold 4 has no test (3) images",
    ),
}


@pytest.mark.parametrize(("spoil", "problem"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays(tmp_path, arrays, spoil, problem):
    spoil(arrays)
    path = write_npz(tmp_path, arrays)
    assert message("faces48", tmp_path) == f"{path}: {problem}; {NPZ_REMEDY}"


def test_too_few_expressions(tmp_path, arrays):
    arrays["labs_ex"] = arrays["labs_ex"][1:]
    path = write_mat(tmp_path, arrays)
    assert message("tfd", tmp_path) == f"{path}: labs_ex: got 11 labels; {MAT_REMEDY}"


def test_a_test_image_without_an_expression(tmp_path, arrays):
    arrays["labs_ex"][4] = -1
    path = write_mat(tmp_path, arrays)
    assert message("tfd", tmp_path) == (
        f"{path}: labs_ex: test images should have 1..7, got -1; {MAT_REMEDY}"
    )


@pytest.mark.parametrize(("part", "split"), [(0, "train"), (2, "validation_0"), (3, "test_0")])
def test_a_split_of_one_picture_is_refused(tmp_path, arrays, part, split):
    arrays["images"][arrays["folds"][:, 0] == part] = 0
    path = write_npz(tmp_path, arrays)
    expected = f"{path}: {split}: all are the same picture; give different ones"
    assert message("faces48", tmp_path) == expected


def test_splits_of_too_few_images_are_refused(tmp_path, arrays, monkeypatch):
    path = write_npz(tmp_path, arrays)
    monkeypatch.setattr(tfd, "FEWEST", 20)
    assert message("faces48", tmp_path) == (
        f"{path}: validation_0: got 3 images, too few to measure anything; give 20 or more"
    )
