"""Images that lie where they should not: in two splits of the data, or among samples."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.data.splits import Dataset
from ganbench.errors import DataError, GanbenchError

# Of the validation images. So few may be a data set's own repetitions, which its user cannot remove
# and which move no mean; more is a split gone wrong.
MOST_SHARED = 0.01


def shared_images(data: Dataset) -> int:
    """Returns how many validation images are test images too, pixel by pixel, over all folds.

    Raises:
        DataError: they are more than `MOST_SHARED` of a fold's validation images.
    """
    total = 0
    for number, fold in enumerate(data.folds):
        known = _bytes(fold.test)
        shared = sum(image.tobytes() in known for image in fold.validation)
        if shared > MOST_SHARED * len(fold.validation):
            raise DataError(
                f"{data.name}: fold {number}: {shared} of {len(fold.validation)} validation images "
                "are test images too; give each image to one split"
            )
        total += shared
    return total


def refuse_copies(rows: Float[Tensor, "n d"], data: Dataset, where: str) -> None:
    """Refuses samples that are images of the data set, when stored as it is.

    Raises:
        GanbenchError: says how many, and of which split.
    """
    raw = (rows * data.scale).round().to(torch.uint8).numpy()
    splits = {"training": [data.train]}
    splits["validation"] = [fold.validation for fold in data.folds]
    splits["test"] = [fold.test for fold in data.folds]
    for split, parts in splits.items():
        known = set().union(*map(_bytes, parts))
        count = sum(row.tobytes() in known for row in raw)
        if count:
            raise GanbenchError(
                f"{where}: {count} of {len(raw)} samples are {split} images of {data.name}, pixel "
                "by pixel; give the model's own, or --allow-copies to score them as they are"
            )


def _bytes(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}
