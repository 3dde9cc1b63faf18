"""SGD with momentum and the bound on incoming weights in Triton, one pass over a parameter."""

import triton
import triton.language as tl


@triton.jit
def scalar(value, IS_POINTER: tl.constexpr):
    """A number, or the one that a device tensor holds."""
    return tl.load(value).to(tl.float32) if IS_POINTER else value


@triton.jit
def sgd_kernel(
    parameter_ptr,  # [size]
    velocity_ptr,  # [size]
    gradient_ptr,  # [size]
    lr,
    momentum,
    size,
    TENSOR_LR: tl.constexpr,
    TENSOR_MOMENTUM: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # Rates in device memory may change between the replays of a captured graph.
    lr, momentum = scalar(lr, TENSOR_LR), scalar(momentum, TENSOR_MOMENTUM)
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    # In float32 and rounded once, when it is stored.
    velocity = tl.load(velocity_ptr + at, mask=inside).to(tl.float32) * momentum
    velocity -= lr * tl.load(gradient_ptr + at, mask=inside).to(tl.float32)
    parameter = tl.load(parameter_ptr + at, mask=inside).to(tl.float32) + velocity
    tl.store(velocity_ptr + at, velocity.to(velocity_ptr.dtype.element_ty), mask=inside)
    tl.store(parameter_ptr + at, parameter.to(parameter_ptr.dtype.element_ty), mask=inside)


@triton.jit
def sgd_max_norm_kernel(
    parameter_ptr,  # [units, D]
    velocity_ptr,  # [units, D]
    gradient_ptr,  # [units, D]
    lr,
    momentum,
    max_norm,
    D,
    TENSOR_LR: tl.constexpr,
    TENSOR_MOMENTUM: tl.constexpr,
    BLOCK: tl.constexpr,
):
    lr, momentum = scalar(lr, TENSOR_LR), scalar(momentum, TENSOR_MOMENTUM)
    # One program for each unit, because its norm needs all its incoming weights.
    start = tl.program_id(0).to(tl.int64) * D
    # The step, and the norm of what it leaves, in one pass.
    squares = tl.zeros([BLOCK], tl.float32)
    for d in range(0, D, BLOCK):
        column = d + tl.arange(0, BLOCK)
        at, inside = start + column, column < D
        velocity = tl.load(velocity_ptr + at, mask=inside, other=0.0).to(tl.float32) * momentum
        velocity -= lr * tl.load(gradient_ptr + at, mask=inside, other=0.0).to(tl.float32)
        parameter = tl.load(parameter_ptr + at, mask=inside, other=0.0).to(tl.float32) + velocity
        squares += parameter * parameter
        tl.store(velocity_ptr + at, velocity.to(velocity_ptr.dtype.element_ty), mask=inside)
        tl.store(parameter_ptr + at, parameter.to(parameter_ptr.dtype.element_ty), mask=inside)
    norm = tl.sqrt(tl.sum(squares, 0))
    # Only units beyond the bound are read again, from the cache; a NaN takes its whole unit.
    if (norm > max_norm) | (norm != norm):
        scale = max_norm / norm
        # The second loop reads what other threads of this program wrote.
        tl.debug_barrier()
        for d in range(0, D, BLOCK):
            column = d + tl.arange(0, BLOCK)
            at, inside = start + column, column < D
            parameter = tl.load(parameter_ptr + at, mask=inside, other=0.0).to(tl.float32) * scale
            tl.store(parameter_ptr + at, parameter.to(parameter_ptr.dtype.element_ty), mask=inside)
