"""The kernels of one simultaneous update of dense networks, for S seeds at once.

Each product does in its epilogue what would otherwise be a pass over memory of its own: bias,
activation and dropout going forward, the activation's derivative and the loss's slope going back,
and momentum, weights and norms where a weight gradient is made, so that no gradient is stored.
Weights, velocities and sums are float32. Activations and gradients are too, but in bfloat16 where
products are: then products read a bfloat16 copy of the weights, which every update writes anew.
No atomics, and sums run in a fixed order: equal inputs give equal bits.
"""

from ganbench_kernels.dense_update.kernels.after import advance_kernel, bound_kernel
from ganbench_kernels.dense_update.kernels.backward import (
    input_gradient_kernel,
    weight_update_kernel,
)
from ganbench_kernels.dense_update.kernels.forward import (
    gather_kernel,
    linear_fwd_kernel,
    maxout_layer_fwd_kernel,
)
from ganbench_kernels.dense_update.kernels.head import head_kernel

__all__ = [
    "advance_kernel",
    "bound_kernel",
    "gather_kernel",
    "head_kernel",
    "input_gradient_kernel",
    "linear_fwd_kernel",
    "maxout_layer_fwd_kernel",
    "weight_update_kernel",
]
