from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import GanbenchError
from ganbench.report.table1.images import interpolation_figure, mosaic, samples_figure


def write(path: Path, samples: np.ndarray, neighbours: np.ndarray) -> Path:
    interpolation = samples[:6].reshape(2, 3, *samples.shape[1:])
    np.savez(path, samples=samples, neighbours=neighbours, interpolation=interpolation)
    return path


def numbered(channels: int = 1) -> np.ndarray:
    """Twenty constant images, each of a grey of its own."""
    greys = np.linspace(0.05, 1, 20, dtype=np.float32)
    return np.broadcast_to(greys[:, None, None, None], (20, channels, 8, 8)).copy()


def tiles(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The colours in the middle of each image of a mosaic without its gaps, [rows, columns, 3]."""
    height, width = picture.shape[0] / rows, picture.shape[1] / columns
    return np.array(
        [
            [picture[int((r + 0.5) * height), int((c + 0.5) * width)] for c in range(columns)]
            for r in range(rows)
        ]
    )


def test_mosaic_keeps_rows_columns_and_colours() -> None:
    images = np.zeros((2, 3, 3, 4, 5), np.float32)
    for row in range(2):
        for column in range(3):
            images[row, column, :, :, :] = np.array([row, column / 2, 0.25])[:, None, None]
    picture = mosaic(images)
    expected = images[:, :, :, 0, 0]
    np.testing.assert_allclose(tiles(picture, 2, 3), expected)


def test_mosaic_keeps_pixels_in_their_place() -> None:
    image = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 2, 3) / 6
    picture = mosaic(image)
    np.testing.assert_allclose(tiles(picture, 2, 3)[..., 0], image[0, 0, 0])


def test_samples_stand_row_by_row_with_their_neighbours_beside(tmp_path: Path) -> None:
    samples = numbered()
    file = write(tmp_path / "f.npz", samples, samples[4::5])
    figure = samples_figure(file, "unit_interval", "title", "footer")
    shown, beside = (axes.get_images()[0].get_array() for axes in figure.axes)
    np.testing.assert_allclose(tiles(shown, 4, 5)[..., 0].ravel(), samples[:, 0, 0, 0])
    np.testing.assert_allclose(tiles(beside, 4, 1)[:, 0, 0], samples[4::5, 0, 0, 0])


def test_interpolation_has_one_line_a_row(tmp_path: Path) -> None:
    samples = numbered()
    file = write(tmp_path / "f.npz", samples, samples[4::5])
    figure = interpolation_figure(file, "unit_interval", "title", "footer")
    picture = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(tiles(picture, 2, 3)[..., 0].ravel(), samples[:6, 0, 0, 0])


def test_contrast_normalised_images_share_the_samples_scale(tmp_path: Path) -> None:
    samples = np.zeros((20, 3, 8, 8), np.float32)
    samples[0], samples[1] = -4.0, 2.0
    neighbours = np.full((4, 3, 8, 8), 2.0, np.float32)
    neighbours[1] = 6.0  # beyond the samples: cut off
    file = write(tmp_path / "f.npz", samples, neighbours)
    figure = samples_figure(file, "global_contrast", "title", "footer")
    shown, beside = (axes.get_images()[0].get_array() for axes in figure.axes)
    np.testing.assert_allclose(tiles(shown, 4, 5)[0, :3, 0], [0.0, 0.75, 0.5])
    np.testing.assert_allclose(tiles(beside, 4, 1)[:2, 0, 0], [0.75, 1.0])


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.npz"
    np.savez(file, samples=np.array([{}], dtype=object))
    with pytest.raises(GanbenchError, match="give plain numbers, no objects"):
        samples_figure(file, "unit_interval", "title", "footer")
