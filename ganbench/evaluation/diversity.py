"""How much of a sampler has collapsed onto a few outputs: the "Helvetica scenario"."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

# Two images are alike when nearer than this share of pairs of the data are.
ALIKE = 0.01
# A sampler of four equally likely images: every fourth pair is alike, 25 times as many as of data.
# Of healthy generators on MNIST it is .01 to .03; of one that draws a single digit, about .4.
COLLAPSED = 0.25
# 124,750 pairs: a share of .01 is known to .001, and that of 784 pixels costs 15 ms.
POINTS = 500
# What `train` and the sample metrics compare with: validation images may be too few, or too much
# alike, to say what the data are like. Records name it, since older training compared with those.
REFERENCE = "training_images"


def collapse_share(samples: Float[Tensor, "n d"], reference: Float[Tensor, "m d"]) -> float:
    """Returns the share of pairs of samples that are alike, from `ALIKE` (none) to 1 (collapsed).

    Alike is nearer in L2 than a share `ALIKE` of the data's pairs. Its inverse is, where it is
    large, the number of equally likely images that a sampler has; `COLLAPSED` and above is an
    alarm. Blurred samples (the mean of 5 x 5 pixels) raise it too.

    Args:
        samples: of the generator; 500 of them, drawn with a fixed seed, are looked at.
        reference: training images; as many, drawn alike, are looked at.

    Raises:
        ValueError: there are fewer than two of either.

    Source: the paper, section 6, names the scenario; sum of squared mode probabilities: Simpson,
    "Measurement of diversity", Nature 163 (1949); counting near pairs of samples: Arora and Zhang,
    "Do GANs actually learn the distribution?", arXiv 1706.08224 (2017). The threshold is ours.
    """
    if min(len(samples), len(reference)) < 2:
        raise ValueError(
            f"collapse_share: got {len(samples)} samples and {len(reference)} images; give two "
            "of each or more"
        )
    # The data set the ruler: what counts as alike among digits would not among faces.
    radius = torch.quantile(torch.pdist(_few(reference)), ALIKE)
    return (torch.pdist(_few(samples)) <= radius).double().mean().item()


def spread(count: int) -> Int64[Tensor, " m"]:
    """Returns at most `POINTS` places from all over, always the same: data may be ordered."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:POINTS]


def _few(rows: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
    return rows[spread(len(rows)).to(rows.device)]
