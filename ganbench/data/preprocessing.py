"""From raw pixels to what the networks see."""

from typing import Literal

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

Scaling = Literal["unit_interval", "global_contrast"]
CONTRAST_NORM = 55.0
# Images whose centred norm is below this are constant: they are left at 0.
SMALLEST_NORM = 1e-8


def preprocess(
    images: UInt8[Tensor, "n c h w"],
    scale: float,
    kind: Scaling,
) -> Float32[Tensor, "n c h w"]:
    """Scales raw pixels.

    `unit_interval`: pixel / scale. `global_contrast`: 55 (x - mean(x)) / ||x - mean(x)||_2, mean
    and norm over all pixels and channels of the image; a constant image becomes 0.

    Args:
        images: raw pixels in [0, scale].
        scale: the raw value of a white pixel.
        kind: of the scaling.

    Source: the released code of 2014 (MNIST and TFD: unit interval; CIFAR-10: global contrast).
    """
    pixels = images.to(torch.float32)
    if kind == "unit_interval":
        return pixels.div_(scale)
    pixels -= pixels.mean(dim=(1, 2, 3), keepdim=True)
    norm = torch.linalg.vector_norm(pixels, dim=(1, 2, 3), keepdim=True)
    norm[norm < SMALLEST_NORM] = 1.0
    return pixels.div_(norm).mul_(CONTRAST_NORM)
