"""What the two players minimise: each objective's losses of single logits, with derivatives.

An objective is one entry of `OBJECTIVES` here, the same formulas for Triton in
`gan_loss/kernels.py`, and its name in the settings of whoever offers it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

# From logits to their losses, in nats, and the losses' derivatives by the logits.
Terms = Callable[[Tensor], tuple[Tensor, Tensor]]


class Losses(NamedTuple):
    """Both players' losses, to be minimised; of a batch, the means over its examples.

    Attributes:
        discriminator: D's loss of a real logit r and a fake logit f, as a formula to be read, with
            softplus(a) = log(1 + exp(a)); tests work it out and compare.
        generator: G's loss of a fake logit f, in the same way.
        real: D's terms by real logits.
        fake: D's terms by fake logits.
        generated: G's terms by fake logits.
    """

    discriminator: str
    generator: str
    real: Terms
    fake: Terms
    generated: Terms


def cross_entropy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """-log sigmoid(a) = softplus(-a), which neither overflows nor loses small values."""
    return -functional.logsigmoid(logits), -torch.sigmoid(-logits)


def half_real(logits: Tensor) -> tuple[Tensor, Tensor]:
    """-log D(x) / 2."""
    loss, slope = cross_entropy(logits)
    return 0.5 * loss, 0.5 * slope


def half_fake(logits: Tensor) -> tuple[Tensor, Tensor]:
    """-log(1 - D(G(z))) / 2."""
    loss, slope = cross_entropy(-logits)
    return 0.5 * loss, -0.5 * slope


def log_caught(logits: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 - D(G(z)))."""
    loss, slope = cross_entropy(-logits)
    return -loss, slope


def margin_real(logits: Tensor) -> tuple[Tensor, Tensor]:
    """max(0, 1 - r)."""
    margin = 1 - logits
    # A comparison that a NaN fails leaves the slope as it is; the loss shows the NaN.
    return functional.relu(margin), (margin <= 0).to(logits.dtype) - 1


def margin_fake(logits: Tensor) -> tuple[Tensor, Tensor]:
    """max(0, 1 + f)."""
    margin = 1 + logits
    return functional.relu(margin), 1 - (margin <= 0).to(logits.dtype)


def rising(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The logit itself."""
    return logits, torch.ones_like(logits)


def falling(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The negative logit."""
    return -logits, torch.full_like(logits, -1)


CROSS_ENTROPY = "(softplus(-r) + softplus(f)) / 2"
OBJECTIVES = {
    # Goodfellow et al. 2014, section 3; the halves are those of the released code.
    "non_saturating": Losses(CROSS_ENTROPY, "softplus(-f)", half_real, half_fake, cross_entropy),
    "minimax": Losses(CROSS_ENTROPY, "-softplus(f)", half_real, half_fake, log_caught),
    # Lim and Ye 2017.
    "hinge": Losses("max(0, 1 - r) + max(0, 1 + f)", "-f", margin_real, margin_fake, falling),
    # Arjovsky et al. 2017.
    "wasserstein": Losses("f - r", "-f", falling, rising, falling),
}
