"""The fused ops of GAN training and evaluation, for CPUs and GPUs."""

from ganbench_kernels.ops import (
    Dropout,
    adversarial_loss,
    dropout,
    maxout,
    maxout_backward,
    maxout_forward,
    maxout_pool2d,
    parzen_log_likelihood,
    sgd_momentum_max_norm_,
)

__all__ = [
    "Dropout",
    "adversarial_loss",
    "dropout",
    "maxout",
    "maxout_backward",
    "maxout_forward",
    "maxout_pool2d",
    "parzen_log_likelihood",
    "sgd_momentum_max_norm_",
]
