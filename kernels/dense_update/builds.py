"""What ahead-of-time compilation builds of the dense update's kernels, and with which types."""

from collections.abc import Iterator
from typing import Any

from ganbench_kernels.dense_update import kernels
from ganbench_kernels.dense_update.launch import DOT

# Whatever the precision of products; other pointers are of the activations' type.
TYPES = {
    "order_ptr": "*i64",
    "batch_ptr": "*i64",
    "seed_ptr": "*i64",
    "offset_ptr": "*i64",
    "offsets_ptr": "*i64",
    "which_ptr": "*u8",
    "start_ptr": "*i64",
    "length_ptr": "*i32",
    "square_ptr": "*i64",
    "blocks_ptr": "*i32",
    "sums_ptr": "*fp64",
    "decay_ptr": "*fp64",
    "floor_ptr": "*fp64",
} | {
    name: "*fp32"
    for name in (
        *("images_ptr", "bias_ptr", "weight_velocity_ptr", "bias_velocity_ptr", "weights_ptr"),
        *("logits_ptr", "row_weight_ptr", "slope_ptr", "squares_ptr", "rate_ptr"),
        *("momentum_ptr", "rounded_rate_ptr"),
    )
}
COPIES = ("rounded_weight_ptr", "rounded_bias_ptr", "rounded_ptr")
TYPES |= dict.fromkeys(COPIES, "*bf16")
MASTER = {"weight_ptr": "*fp32"}
MASK = {"DROPOUT": True, "ONE_BIT": True, "GROUP": 8}


def builds() -> Iterator[tuple[Any, str, str, dict[str, Any], dict[str, str]]]:
    """Yields kernel, key of its settings, precision of products, constants and types."""
    for precision, dot in DOT.items():
        copies = {"ROUNDED": precision == "bfloat16"}
        forward = MASK | {"ACTIVATION": "sigmoid", "BATCHED": False, "COPY": True, "DOT": dot}
        yield kernels.linear_fwd_kernel, precision, precision, forward, TYPES
        pieces = MASK | {"P": 5, "DOT": dot}
        yield kernels.maxout_layer_fwd_kernel, precision, precision, pieces, TYPES
        backward = pieces | {"MAXOUT": True, "ACTIVATION": "sigmoid", "SLOPE": True}
        yield kernels.input_gradient_kernel, precision, precision, backward, TYPES
        plain = {"P": 1, "MAXOUT": False, "WEIGHTED": False, "BATCHED": False, "SQUARES": True}
        constants = plain | copies | {"DOT": dot}
        types = TYPES | MASTER
        yield kernels.weight_update_kernel, precision, precision, constants, types
        constants = constants | {"P": 5, "MAXOUT": True, "WEIGHTED": True}
        variant = f"{precision}_pieces"
        yield kernels.weight_update_kernel, variant, precision, constants, types
        if precision != "tf32":
            head = copies | {"OBJECTIVE": "non_saturating", "BLOCK_N": 128, "BLOCK_U": 256}
            yield kernels.head_kernel, "float32", precision, head, types
            gather = {"DROPOUT": True, "ONE_BIT": False}
            yield kernels.gather_kernel, "float32", precision, gather, TYPES
            bound = copies | {"BLOCKS": 64}
            yield kernels.bound_kernel, "float32", precision, bound, TYPES
