"""The same alternating update in JAX, one jitted function; needs the extra `rivals`."""

import math
import os
from collections.abc import Callable
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import numpy as jnp  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from ganbench import config

# One thread, like everything that it is compared with; read when JAX is first used.
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
Layers = list[dict[str, Any]]


class JaxLoop:
    """Parameters and momentum as pytrees, and one jitted update that gives its memory back.

    Args:
        experiment: of fully connected layers.
        images: rows of pixels to train on.
    """

    def __init__(self, experiment: config.Adversarial, images: NDArray[np.float32]) -> None:
        os.environ.setdefault("XLA_FLAGS", ONE_THREAD)
        self.images = jnp.asarray(images)
        self.key = jax.random.key(0)
        draw = np.random.default_rng(0)
        generator = initial(experiment.generator.layers, experiment.generator.noise_dim, draw)
        discriminator = initial(experiment.discriminator.layers, images.shape[1], draw)
        players = jax.tree.map(jnp.asarray, (generator, discriminator))
        rest = jax.tree.map(jnp.zeros_like, players)
        self.state = players, rest
        self.step = jax.jit(step_of(experiment), donate_argnums=0)

    def update(self, index: NDArray[np.int64]) -> None:
        """Trains both players on the chosen images and on as many fakes."""
        self.key, key = jax.random.split(self.key)
        self.state = jax.block_until_ready(self.step(self.state, self.images, index, key))


def initial(settings: tuple[Any, ...], inputs: int, draw: np.random.Generator) -> Layers:
    """Returns uniform weights [in, out] (maxout: [in, units * pieces]) and biases of 0."""
    layers: Layers = []
    for layer in settings:
        width = layer.units * (layer.pieces if isinstance(layer, config.Maxout) else 1)
        irange = layer.irange or 0.05
        weight = draw.uniform(-irange, irange, (inputs, width)).astype(np.float32)
        layers.append({"weight": weight, "bias": np.zeros(width, np.float32)})
        inputs = layer.units
    return layers


def step_of(experiment: config.Adversarial) -> Callable[..., Any]:
    """Returns (state, images, index, key) -> state."""
    training = experiment.training
    generator_layers: tuple[Any, ...] = experiment.generator.layers
    activations = {"linear": lambda x: x, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}

    def generate(parameters: Layers, x: Any) -> Any:
        for layer, held in zip(generator_layers, parameters, strict=True):
            x = activations[layer.activation](x @ held["weight"] + held["bias"])
        return x

    def judge(parameters: Layers, x: Any, key: Any) -> Any:
        keep = experiment.discriminator.input_keep
        for layer, held in zip(experiment.discriminator.layers, parameters, strict=True):
            key, mask_key = jax.random.split(key)
            x = jnp.where(jax.random.bernoulli(mask_key, keep, x.shape), x / keep, 0)
            x = x @ held["weight"] + held["bias"]
            if isinstance(layer, config.Maxout):
                x = x.reshape(len(x), layer.units, layer.pieces).max(-1)
            keep = experiment.discriminator.hidden_keep
        return x[:, 0]

    def descend(parameters: Layers, velocity: Layers, gradients: Layers) -> tuple[Layers, Layers]:
        velocity = jax.tree.map(
            lambda v, g: training.momentum_initial * v - training.learning_rate * g,
            velocity,
            gradients,
        )
        moved = jax.tree.map(jnp.add, parameters, velocity)
        return [_bounded(layer, training.max_column_norm) for layer in moved], velocity

    def discriminator_loss(parameters: Layers, real: Any, fake: Any, key: Any) -> Any:
        logits = judge(parameters, jnp.concatenate([real, fake]), key)
        real_logits, fake_logits = jnp.split(logits, 2)
        return 0.5 * (jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean())

    def generator_loss(parameters: Layers, discriminator: Layers, noise: Any, key: Any) -> Any:
        return jax.nn.softplus(-judge(discriminator, generate(parameters, noise), key)).mean()

    def step(state: Any, images: Any, index: Any, key: Any) -> Any:
        (generator, discriminator), (g_velocity, d_velocity) = state
        noise_key, d_key, g_key = jax.random.split(key, 3)
        size = len(index), experiment.generator.noise_dim
        if experiment.generator.noise == "normal":
            noise = jax.random.normal(noise_key, size)
        else:
            noise = jax.random.uniform(noise_key, size, minval=-math.sqrt(3), maxval=math.sqrt(3))
        fake = generate(generator, noise)
        gradients = jax.grad(discriminator_loss)(discriminator, images[index], fake, d_key)
        discriminator, d_velocity = descend(discriminator, d_velocity, gradients)
        # The compiler finds that these fakes are the ones above.
        gradients = jax.grad(generator_loss)(generator, discriminator, noise, g_key)
        generator, g_velocity = descend(generator, g_velocity, gradients)
        return (generator, discriminator), (g_velocity, d_velocity)

    return step


def _bounded(layer: dict[str, Any], bound: float | None) -> dict[str, Any]:
    if bound is None:
        return layer
    norm = jnp.linalg.norm(layer["weight"], axis=0)
    return layer | {"weight": layer["weight"] * jnp.minimum(1, bound / norm)}
