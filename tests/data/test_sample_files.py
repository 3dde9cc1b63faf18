"""Every way to give samples, and every way to give wrong ones, by its message."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.data import sample_files
from ganbench.errors import DataError, GanbenchError

GREY, COLOUR = (1, 4, 5), (3, 4, 5)
COUNT = 6


def pixels(shape: tuple[int, ...] = COLOUR, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(0).random((count, *shape), dtype=np.float32)


def rows(array: np.ndarray, shape: tuple[int, int, int] = GREY, count: int = COUNT):
    return sample_files.rows(array, shape, 16.0, count, "s.npy")


def refused(array: np.ndarray, shape: tuple[int, int, int] = GREY) -> str:
    with pytest.raises(GanbenchError) as error:
        rows(array, shape)
    assert "\n" not in str(error.value)
    return str(error.value)


def written(folder: Path, kind: str, array: np.ndarray) -> Path:
    path = folder / f"samples{kind}"
    if kind == ".npy":
        np.save(path, array)
    elif kind == ".npz":
        np.savez(path, array)
    elif kind == ".pt":
        torch.save(torch.from_numpy(array), path)
    else:
        path.mkdir()
        for number, image in enumerate((array * 255).round().astype(np.uint8)):
            Image.fromarray(image).save(path / f"{number:03}.png")
    return path


@pytest.mark.parametrize("kind", [".npy", ".npz", ".pt", ""])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_every_kind_of_file_holds_the_same(tmp_path: Path, kind: str, shape: tuple) -> None:
    array = np.round(pixels(shape) * 255).astype(np.float32) / 255
    actual = sample_files.read(written(tmp_path, kind, array))
    assert np.array_equal(actual, array)


def test_an_archive_of_several_arrays_names_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    np.savez(path, samples=pixels(), labels=np.arange(COUNT))
    assert np.array_equal(sample_files.read(path), pixels())
    np.savez(path, images=pixels(), labels=np.arange(COUNT))
    with pytest.raises(GanbenchError, match=r"got arrays \['images', 'labels'\]; call the samples"):
        sample_files.read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.npy", b"no array", r"cannot be read as \.npy \(.*\); write it again"),
        ("s.npz", b"no archive", r"cannot be read as \.npz \(.*\); write it again"),
        ("s.pt", b"no tensor", r"cannot be read as \.pt \(.*\); write it again"),
        ("s.mat", b"", r"got \.mat; give \.npy, \.npz, \.pt, or a folder of \.png"),
        ("s", b"", r"got no suffix; give \.npy"),
    ],
)
def test_files_of_something_else_are_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GanbenchError, match=message):
        sample_files.read(tmp_path / name)


def test_a_tensor_file_that_is_cut_off_is_refused_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, ".pt", pixels())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError) as error:
        sample_files.read(path)
    assert str(error.value).startswith(f"{path}: cannot be read as .pt (File is not a zip file")
    assert str(error.value).endswith("; write it again, without pickled objects")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("mode", "channels"), [("1", None), ("P", 1), ("P", 3), ("RGB", 1)])
def test_pngs_are_read_as_what_they_show(tmp_path: Path, mode: str, channels: int | None) -> None:
    """One bit a pixel, palettes of greys and of colours, and grey stored as three channels."""
    levels = np.random.default_rng(0).choice([0, 51, 204, 255], (COUNT, 4, 5, channels or 1))
    levels = np.repeat(levels // 255 * 255 if mode == "1" else levels, 3 // levels.shape[3], 3)
    for number, image in enumerate(levels.astype(np.uint8)):
        shown = Image.fromarray(image)
        if mode == "P":
            shown = shown.quantize(64, dither=Image.Dither.NONE)
        shown.convert(mode).save(tmp_path / f"{number}.png")
    actual = sample_files.read(tmp_path)
    shape = COLOUR if channels == 3 else GREY
    first = np.moveaxis(levels, 3, 1)[:, : shape[0]].reshape(COUNT, -1)
    expected = torch.from_numpy(first.astype(np.float32) / 255)
    assert torch.equal(sample_files.rows(actual, shape, 255.0, COUNT, "folder"), expected)


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "LA"])
def test_pngs_that_would_lose_something_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / "0.png")
    with pytest.raises(GanbenchError) as error:
        sample_files.read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/0.png: got an image of mode {mode}; save 8-bit grey (L) or colour (RGB)"
    )


def test_a_palette_with_a_transparent_colour_is_refused(tmp_path: Path) -> None:
    Image.new("P", (5, 4)).save(tmp_path / "0.png", transparency=0)
    with pytest.raises(GanbenchError, match=r"got an image of mode P with transparency; save"):
        sample_files.read(tmp_path)


def test_three_channels_that_differ_are_not_grey() -> None:
    assert "wrong shape, got (6, 4, 5, 3)" in refused(pixels((4, 5, 3)))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"s\.npy: cannot be read .*No such file"):
        sample_files.read(tmp_path / "s.npy")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([{"a": 1}], object), allow_pickle=True)
    torch.save({"samples": Path("a")}, tmp_path / "s.pt")
    for name in ("s.npy", "s.pt"):
        with pytest.raises(GanbenchError, match="cannot be read as"):
            sample_files.read(tmp_path / name)


def test_a_state_dict_is_not_samples(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "s.pt")
    with pytest.raises(GanbenchError, match="holds a dict; save the tensor alone"):
        sample_files.read(tmp_path / "s.pt")


def test_folders_without_images_or_of_many_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"holds no \.png"):
        sample_files.read(tmp_path)
    for side in (4, 5):
        Image.new("L", (side, side)).save(tmp_path / f"{side}.png")
    with pytest.raises(GanbenchError, match=r"images of sizes \[\(4, 4\), \(5, 5\)\]; make them"):
        sample_files.read(tmp_path)
    (tmp_path / "4.png").write_bytes(b"no image")
    with pytest.raises(
        GanbenchError, match=r"cannot identify image file .*; write the images again"
    ):
        sample_files.read(tmp_path)


@pytest.mark.parametrize("shape", [(20,), (4, 5), (1, 4, 5), (4, 5, 1)])
def test_grey_shapes_are_the_same_rows(shape: tuple[int, ...]) -> None:
    flat = pixels((20,))
    assert torch.equal(rows(flat.reshape(COUNT, *shape)), torch.from_numpy(flat))


def test_colour_channels_come_first() -> None:
    first = pixels()
    expected = torch.from_numpy(first.reshape(COUNT, -1))
    for array in (first, first.reshape(COUNT, -1), np.moveaxis(first, 1, 3)):
        assert torch.equal(rows(array, COLOUR), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, bool])
def test_numbers_of_any_type_are_taken(dtype: type) -> None:
    array = np.array([[0, 1] * 10, [1, 0] * 10] * 3).astype(dtype)
    assert torch.equal(rows(array), torch.from_numpy(array.astype(np.float32)))


def test_the_first_samples_are_taken() -> None:
    many = pixels((20,), COUNT + 3)
    assert torch.equal(rows(many), torch.from_numpy(many[:COUNT]))


@pytest.mark.parametrize(("draws", "taken"), [(1, 6), (2, 12), (5, 18)])
def test_more_samples_are_taken_in_whole_draws(draws: int, taken: int) -> None:
    many = pixels((20,), 3 * COUNT + 2)
    actual = sample_files.rows(many, GREY, 16.0, COUNT, "s.npy", draws)
    assert torch.equal(actual, torch.from_numpy(many[:taken]))


def test_rounding_beyond_the_interval_is_cut_off() -> None:
    array = pixels((20,))
    array[0, :2] = -1e-7, 1 + 1e-7
    assert rows(array)[0, :2].tolist() == [0, 1]


def test_wrong_shapes() -> None:
    assert refused(pixels((21,))) == (
        "s.npy: wrong shape, got (6, 21); give (N, 20), (N, 4, 5), (N, 1, 4, 5) or (N, 4, 5, 1)"
    )
    assert refused(pixels((4, 5)), COLOUR).endswith("give (N, 60), (N, 3, 4, 5) or (N, 4, 5, 3)")
    assert "wrong shape, got (20,)" in refused(pixels((20,))[0])


def test_too_few() -> None:
    assert refused(pixels((20,), 5)) == "s.npy: got 5 samples, the protocol takes 6; draw more"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: 2 * x - 1, "they look like [-1, 1]: give (x + 1) / 2, in [0, 1]"),
        (lambda x: 16 * x, "they look like 0..16: give x / 16, in [0, 1]"),
        (lambda x: 255 * x, "they look like 0..255: give x / 255, in [0, 1]"),
        (lambda x: (255 * x).astype(np.uint8), "they look like 0..255: give x / 255, in [0, 1]"),
        (lambda x: 300 * x, "give pixels in [0, 1]"),
        (lambda x: 2 * x, "give pixels in [0, 1]"),
        (lambda x: (90 * x).round(), "they look like 0..255: give x / 255, in [0, 1]"),
        (lambda x: 1.01 * x, "a little beyond [0, 1]: give x.clip(0, 1)"),
        (
            lambda x: 2.01 * x - 1.01,
            "they look like [-1, 1], and a little beyond: give ((x + 1) / 2).clip(0, 1)",
        ),
        (lambda x: 5 * x - 2.5, "give pixels in [0, 1]"),
    ],
)
def test_values_outside_the_interval(change, message: str) -> None:
    array = change(pixels((20,)))
    assert refused(array) == (f"s.npy: values from {array.min():g} to {array.max():g}; {message}")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_none(value: float) -> None:
    array = pixels((20,))
    array[2, 3:5] = value
    assert refused(array) == (
        "s.npy: 2 values are NaN or infinite, the first in sample 2; fix the model that drew them"
    )


@pytest.mark.parametrize("array", [np.full((COUNT, 20), 0.5), pixels((20,))[:1].repeat(COUNT, 0)])
def test_constant_samples(array: np.ndarray) -> None:
    assert refused(array) == "s.npy: all samples are the same image; nothing can be scored"


def test_values_that_are_no_numbers() -> None:
    assert refused(np.full((COUNT, 20), "a")) == "s.npy: got values of type <U1; give real numbers"


def test_samples_divided_twice_are_refused() -> None:
    assert refused(pixels((20,)) / 255).endswith(
        ", all black; if they were divided by 16 twice, give x * 16"
    )


def test_what_is_shuffled_is_what_was_given() -> None:
    many = pixels((20,), 3 * COUNT)
    taken = sample_files.rows(many, GREY, 16.0, COUNT, "s.npy", 3, shuffled=True).numpy()
    assert not np.array_equal(taken, many)
    assert np.array_equal(np.sort(taken, axis=None), np.sort(many, axis=None))
    many[7, 3] = np.nan
    with pytest.raises(DataError, match="the first in sample 7; fix"):
        sample_files.rows(many, GREY, 16.0, COUNT, "s.npy", 3, shuffled=True)


def test_names_of_either_case_are_taken_and_what_a_mac_adds_is_not(tmp_path: Path) -> None:
    for name, level in (("0.png", 10), ("1.PNG", 20)):
        Image.new("L", (5, 4), level).save(tmp_path / name, "PNG")
    (tmp_path / "._0.png").write_bytes(b"Mac OS X")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._1.png").write_bytes(b"Mac OS X")
    assert sample_files.read(tmp_path).shape == (2, 4, 5)
    (tmp_path / "a" / "b").mkdir(parents=True)
    Image.new("L", (5, 4)).save(tmp_path / "a" / "b" / "2.png")
    with pytest.raises(DataError, match=r"has PNGs in its subfolder 'a'; put all into one folder"):
        sample_files.read(tmp_path)


def test_a_png_that_breaks_off_is_named(tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        noise = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.png: cannot be read as PNG \(.*\); write the images"):
        sample_files.read(tmp_path)
