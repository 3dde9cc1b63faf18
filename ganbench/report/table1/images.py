"""Pictures of samples: the paper's Figure 2 (random samples) and Figure 3 (interpolation)."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from numpy import ndarray

from ganbench.archives import read_npz
from ganbench.errors import GanbenchError
from ganbench.report.style import WIDTH, new_figure

COLUMNS = 5  # samples in each of Figure 2's rows
CELL = 112  # pixels: side that images are enlarged to at most, so that viewers do not blur them
LETTERS = 9.6  # points: 7 where two pictures stand side by side on paper
GAP = 0.08  # between images, in image sides


def samples_figure(file: Path, preprocessing: str, title: str, footer: str) -> Figure:
    """Returns rows of five samples and, in a sixth column, the training image nearest the fifth.

    Args:
        file: the npz with `samples` [20, C, H, W] and `neighbours` [4, C, H, W].
        preprocessing: which space the pixels are in.
        title: the experiment.
        footer: seed, state and commit.
    """
    pictures = _displayed(file, preprocessing, "samples", "neighbours")
    samples, neighbours = pictures["samples"], pictures["neighbours"]
    rows = samples.reshape(-1, COLUMNS, *samples.shape[1:])
    figure = _mosaic_figure([rows, neighbours[:, None]], title, footer)
    figure.axes[0].set_title("random samples, not picked", loc="left", fontsize=LETTERS)
    figure.axes[1].set_title("nearest\ntraining\nimage", loc="center", fontsize=LETTERS)
    return figure


def interpolation_figure(file: Path, preprocessing: str, title: str, footer: str) -> Figure:
    """Returns one row of images for each straight line in z (arguments as in `samples_figure`).

    The npz holds them as `interpolation` [rows, steps, C, H, W].
    """
    figure = _mosaic_figure(
        [_displayed(file, preprocessing, "samples", "interpolation")["interpolation"]],
        title,
        footer,
    )
    figure.axes[0].set_title(
        "linear interpolation between two noise vectors z", loc="left", fontsize=LETTERS
    )
    return figure


def _displayed(file: Path, preprocessing: str, *needed: str) -> dict[str, Float[ndarray, "..."]]:
    """Reads all pictures of a state, of which some are needed, with pixels in [0, 1].

    Contrast-normalised images are divided by the samples' largest absolute value, as in the
    paper's figures; training images beyond it are cut off there.
    """
    # A method without noise vectors has no interpolation.
    names = ("samples", "neighbours", "interpolation")
    pictures = read_npz(file, names, "run `ganbench sample` again")
    lacking = [name for name in needed if name not in pictures]
    if lacking:
        raise GanbenchError(f"{file}: has no array {lacking[0]!r}; run `ganbench sample` again")
    if preprocessing == "global_contrast":
        largest = np.abs(pictures["samples"]).max()
        pictures = {name: (array / largest + 1) / 2 for name, array in pictures.items()}
    return {name: array.clip(0, 1) for name, array in pictures.items()}


def _mosaic_figure(blocks: list[Float[ndarray, "rows _ C H W"]], title: str, footer: str) -> Figure:
    """Sets blocks of images side by side, each in axes of its own."""
    columns = [block.shape[1] for block in blocks]
    side = WIDTH / (sum(columns) + 0.5)
    figure = new_figure(title, footer, height=side * blocks[0].shape[0] + 0.95, small=LETTERS)
    grid = figure.subplots(1, len(blocks), width_ratios=columns, squeeze=False)[0]
    for axes, block in zip(grid, blocks, strict=True):
        axes.imshow(mosaic(block), interpolation="none", vmin=0, vmax=1)
        axes.set_axis_off()
    return figure


def mosaic(
    images: Float[ndarray, "rows columns C H W"],
) -> Float[ndarray, "height width 3"]:
    """Returns one RGB picture, pixels in [0, 1], of images set in rows with white between them."""
    rows, columns, channels, height, width = images.shape
    zoom = max(1, CELL // height)
    gap = round(GAP * zoom * height)
    enlarged = images.repeat(zoom, axis=3).repeat(zoom, axis=4)
    padded = np.pad(enlarged, ((0, 0), (0, 0), (0, 0), (0, gap), (0, gap)), constant_values=1.0)
    tall, wide = height * zoom + gap, width * zoom + gap
    picture = padded.transpose(0, 3, 1, 4, 2).reshape(rows * tall, columns * wide, channels)
    picture = picture[: rows * tall - gap, : columns * wide - gap]
    return np.broadcast_to(picture, (*picture.shape[:2], 3))
