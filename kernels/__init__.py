"""The fused ops of GAN training and evaluation, for CPUs and GPUs."""

from ganbench_kernels.affine_maxout.op import maxout, maxout_backward, maxout_forward
from ganbench_kernels.dispatch import Impl, choices, set_default
from ganbench_kernels.gan_loss.op import adversarial_loss, adversarial_loss_gradients
from ganbench_kernels.inverted_dropout.op import dropout, dropout_factors
from ganbench_kernels.parzen.op import parzen_log_likelihood
from ganbench_kernels.pooled_maxout.op import maxout_pool2d
from ganbench_kernels.reference import Dropout
from ganbench_kernels.sgd.op import sgd_momentum_max_norm_

__all__ = [
    "Dropout",
    "Impl",
    "adversarial_loss",
    "adversarial_loss_gradients",
    "choices",
    "dropout",
    "dropout_factors",
    "maxout",
    "maxout_backward",
    "maxout_forward",
    "maxout_pool2d",
    "parzen_log_likelihood",
    "set_default",
    "sgd_momentum_max_norm_",
]
