"""Stored images as rows of model-space pixels, made when they are needed."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ganbench.data.preprocessing import Scaling, preprocess


@dataclass(frozen=True)
class Images:
    """Images kept as bytes and handed out as preprocessed rows.

    Attributes:
        raw: pixels as stored.
        scale: the raw value of a white pixel.
        preprocessing: see `ganbench.data.preprocessing.preprocess`.
    """

    raw: UInt8[Tensor, "n c h w"]
    scale: float
    preprocessing: Scaling

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        _, channels, height, width = self.raw.shape
        return channels, height, width

    def rows(self, index: Tensor | slice = slice(None)) -> Float[Tensor, "m d"]:
        """Returns the chosen images, all by default, one per row."""
        return preprocess(self.raw[index], self.scale, self.preprocessing).flatten(1)

    def pixel_means(self, batch: int = 4096) -> Float[Tensor, " d"]:
        """Returns each pixel's mean over the images."""
        totals = [
            self.rows(slice(start, start + batch)).double().sum(0)
            for start in range(0, len(self), batch)
        ]
        return (torch.stack(totals).sum(0) / len(self)).float()
