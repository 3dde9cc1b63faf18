"""Tiny networks with every kind of layer."""

DENSE = {
    "generator": {
        "noise": "uniform",
        "noise_dim": 4,
        "layers": [
            {"kind": "linear", "units": 9, "activation": "relu", "irange": 0.5},
            {"kind": "linear", "units": 64, "activation": "sigmoid", "irange": 0.5,
             "bias": "marginals"},
        ],
    },
    "discriminator": {
        "layers": [
            {"kind": "maxout", "units": 6, "pieces": 5, "irange": 0.4},
            {"kind": "maxout", "units": 5, "pieces": 2, "irange": 0.4},
            # Logits beyond 1, so that hinge's margin is passed.
            {"kind": "linear", "units": 1, "irange": 1.0},
        ]
    },
}  # fmt: skip
CONVOLUTIONAL = {
    "generator": {
        "noise": "normal",
        "noise_dim": 4,
        "layers": [
            {"kind": "linear", "units": 12, "activation": "sigmoid", "irange": 0.3},
            {"kind": "transposed_convolution", "channels": 3, "size": 2, "kernel_size": 4,
             "stride": 4, "irange": 0.3},
        ],
    },
    "discriminator": {
        "layers": [
            {"kind": "convolutional_maxout", "channels": 4, "pieces": 2, "kernel_size": 3,
             "padding": 1, "pool_size": 2, "pool_stride": 2, "irange": 0.3},
            {"kind": "maxout", "units": 6, "pieces": 2, "irange": 0.3},
            {"kind": "linear", "units": 1, "irange": 0.3},
        ]
    },
}  # fmt: skip
# As TFD's: sparse initial weights, a front put before the generator in a second phase.
TWO_PHASES = {
    "generator": {
        "noise": "normal",
        "noise_dim": 4,
        "layers": [
            {"kind": "linear", "units": 9, "activation": "sigmoid", "irange": 0.3, "bias": -2.0},
            {"kind": "linear", "units": 64, "activation": "sigmoid", "sparse_weights": 3},
        ],
    },
    "discriminator": DENSE["discriminator"],
    "phases": [
        {"epochs": 2},
        {"epochs": 2, "generator_front": [
            {"kind": "linear", "units": 6, "activation": "relu", "irange": 0.3},
            {"kind": "linear", "units": 4, "activation": "sigmoid", "irange": 0.3},
        ]},
    ],
}  # fmt: skip
