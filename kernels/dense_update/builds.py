"""What ahead-of-time compilation builds of the dense update's kernels, and with which types."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganbench_kernels.dense_update import kernels
from ganbench_kernels.dense_update.launch import DOT
from ganbench_kernels.spec import NONE, POINTERS, Build

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


def builds() -> Iterator[Build]:
    """Yields the builds of every precision that an update can have."""
    for precision, dot in DOT.items():
        forward = MASK | {"ACTIVATION": "sigmoid", "BATCHED": False, "COPY": True, "DOT": dot}
        yield _build(kernels.linear_fwd_kernel, precision, precision, forward)
        pieces = MASK | {"P": 5, "DOT": dot}
        yield _build(kernels.maxout_layer_fwd_kernel, precision, precision, pieces)
        backward = pieces | {"MAXOUT": True, "ACTIVATION": "sigmoid", "SLOPE": True}
        yield _build(kernels.input_gradient_kernel, precision, precision, backward)
        copies = {"ROUNDED": precision == "bfloat16"}
        plain = {"P": 1, "MAXOUT": False, "WEIGHTED": False, "BATCHED": False, "SQUARES": True}
        constants = plain | copies | {"DOT": dot}
        yield _build(kernels.weight_update_kernel, precision, precision, constants, MASTER)
        constants = constants | {"P": 5, "MAXOUT": True, "WEIGHTED": True}
        variant = f"{precision}_pieces"
        yield _build(kernels.weight_update_kernel, variant, precision, constants, MASTER)
        # The kernels without a product do not differ between float32 and TF32.
        if precision != "tf32":
            head = copies | {"OBJECTIVE": "non_saturating", "BLOCK_N": 128, "BLOCK_U": 256}
            yield _build(kernels.head_kernel, "float32", precision, head, MASTER)
            gather = {"DROPOUT": True, "ONE_BIT": False}
            yield _build(kernels.gather_kernel, "float32", precision, gather)
            bound = copies | {"BLOCKS": 64}
            yield _build(kernels.bound_kernel, "float32", precision, bound)


def _build(
    kernel: Any, variant: str, precision: str, constants: dict[str, Any],
    types: Mapping[str, str] = NONE,
) -> Build:  # fmt: skip
    """A build whose activations have the type of a precision."""
    pointers = [name for name in kernel.arg_names if name.endswith("_ptr")]
    known = {**dict.fromkeys(pointers, POINTERS[precision]), **TYPES, **types}
    return Build(kernel, variant, precision, constants, True, known)
