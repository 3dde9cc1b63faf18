"""What ends an update: bounds norms, and moves on to the next minibatch, masks and rate."""

import triton
import triton.language as tl


@triton.jit
def bound_kernel(
    weights_ptr,  # one player's parameters
    rounded_ptr,  # bfloat16, their copy
    squares_ptr,  # one player's partial sums of squares
    start_ptr,  # int64 [units]: where a unit's incoming weights start
    length_ptr,  # int32 [units]: and how many they are
    square_ptr,  # int64 [units]: where its partial sums start
    blocks_ptr,  # int32 [units]: and how many they are
    max_norm,
    ROUNDED: tl.constexpr,  # write the bfloat16 copies
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Scales down incoming weights that are longer than the bound; all layers in one launch."""
    # Units of all layers are numbered through: the tables say where each one's weights are.
    unit = tl.program_id(0)
    blocks = tl.arange(0, BLOCKS)
    squares = squares_ptr + tl.load(square_ptr + unit) + blocks
    norm = tl.sqrt(tl.sum(tl.load(squares, mask=blocks < tl.load(blocks_ptr + unit), other=0.0), 0))
    # The weights of units within the bound are not even read.
    if (norm > max_norm) | (norm != norm):
        start, length = tl.load(start_ptr + unit), tl.load(length_ptr + unit)
        for d in range(0, length, BLOCK):
            columns = d + tl.arange(0, BLOCK)
            inside = columns < length
            weight = tl.load(weights_ptr + start + columns, mask=inside, other=0.0)
            weight *= max_norm / norm
            tl.store(weights_ptr + start + columns, weight, mask=inside)
            if ROUNDED:
                tl.store(rounded_ptr + start + columns, weight.to(tl.bfloat16), mask=inside)


@triton.jit
def advance_kernel(
    batch_ptr,  # int64 [1]
    offsets_ptr,  # int64 [layers]: of the next update's dropout masks
    rate_ptr,  # float64, 0-d
    rounded_rate_ptr,  # float32, 0-d: what the next update reads
    decay_ptr,  # float64, 0-d: numbers would be rounded to float32
    floor_ptr,  # float64, 0-d
    masks,
    LAYERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Moves on to the next minibatch, its masks and its learning rate."""
    # The state of a replayed graph is in memory: nothing comes from the host between updates.
    tl.store(batch_ptr, tl.load(batch_ptr) + 1)
    layers = tl.arange(0, BLOCK)
    offsets = tl.load(offsets_ptr + layers, mask=layers < LAYERS, other=0)
    tl.store(offsets_ptr + layers, offsets + masks, mask=layers < LAYERS)
    # Decayed in float64, as the engine does: in float32 the rate would drift over an epoch.
    rate = tl.maximum(tl.load(rate_ptr) / tl.load(decay_ptr), tl.load(floor_ptr))
    tl.store(rate_ptr, rate)
    tl.store(rounded_rate_ptr, rate.to(tl.float32))
