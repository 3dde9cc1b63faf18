"""Launches the loss kernels: one for up to 65,536 logits of a seed, two above."""

# pyright: reportArgumentType=false
# A kernel takes plain numbers for its tl.constexpr parameters.

import torch
import triton
from torch import Tensor

from ganbench_kernels.dispatch import dtype_name, kernel_config
from ganbench_kernels.gan_loss import kernels
from ganbench_kernels.launching import launch

ONE_LAUNCH = 65_536
MAX_PARTS = 1024


def forward(real: Tensor, fake: Tensor, objective: str) -> tuple[Tensor, Tensor, Tensor]:
    """Runs the kernels: as `reference.adversarial_loss`."""
    seeds, n = (1, *real.shape) if real.dim() == 1 else real.shape
    gradients = torch.empty((3, *real.shape), dtype=real.dtype, device=real.device)
    config = kernel_config("adversarial_loss_kernel", dtype_name(real.dtype), real.device)
    block = config["BLOCK"]
    # Few logits of a seed are summed by one program. Many are cut into parts of whole blocks, at
    # most as many as one block of the second kernel adds up.
    span = n if 2 * n <= ONE_LAUNCH else block * triton.cdiv(triton.cdiv(n, block), MAX_PARTS)
    parts = int(triton.cdiv(n, span)) if n else 0
    sums = real.new_empty((seeds, max(parts, 1), 2), dtype=torch.float32)
    # A mean over nothing is NaN, as in the reference, without a launch.
    if parts == 0:
        sums.fill_(torch.nan)
    elif seeds:
        launch(kernels.adversarial_loss_kernel, (parts, seeds),
            real, fake, sums, gradients, n, span, 1 / n,
            writes=(sums, gradients), OBJECTIVE=objective, **config,
        )  # fmt: skip
    # Summed by a second kernel in a fixed order, since atomic additions would differ from run to
    # run.
    if parts > 1:
        sums = _sum(sums)
    losses = sums.to(real.dtype).reshape(*real.shape[:-1], 2)
    # Clones: for one seed these are contiguous views of the same memory.
    return losses[..., 0].clone(), losses[..., 1].clone(), gradients


def _sum(sums: Tensor) -> Tensor:
    seeds, parts, _ = sums.shape
    losses = sums.new_empty((seeds, 2))
    config = kernel_config("adversarial_loss_sum_kernel", "float32", sums.device)
    config["writes"] = (losses,)
    launch(kernels.adversarial_loss_sum_kernel, (seeds,), sums, losses, parts, **config)
    return losses
