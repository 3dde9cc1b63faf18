"""The generator, the discriminator and how they are trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ganbench.config.frozen import Frozen, list_field
from ganbench.config.layers import DiscriminatorLayer, GeneratorLayer, Linear

Precision = Literal["float32", "tf32", "bfloat16"]
Objective = Literal["non_saturating", "minimax", "hinge", "wasserstein"]
Probability = Annotated[float, Field(gt=0, le=1)]


class Generator(Frozen):
    """Noise to image."""

    noise: Literal["uniform", "normal"] = Field(
        description="Noise z: uniform(-sqrt 3, sqrt 3) or standard normal, both of unit variance."
    )
    noise_dim: PositiveInt = Field(100, description="Dimensions of the noise.")
    layers: tuple[GeneratorLayer, ...] = list_field("From the noise to the image.", min_length=1)


class Discriminator(Frozen):
    """Image to logit; dropout acts on every layer's input."""

    layers: tuple[DiscriminatorLayer, ...] = list_field(
        "From the image to one logit.", min_length=1
    )
    input_keep: Probability = Field(0.8, description="Keep probability of the first layer's input.")
    hidden_keep: Probability = Field(
        0.5, description="Keep probability of every later layer's input."
    )


class Phase(Frozen):
    """A stretch of training. Later phases keep the generator and restart everything else."""

    epochs: PositiveInt = Field(description="Passes over the training set.")
    generator_front: tuple[Linear, ...] = list_field(
        "New layers put between the noise and the generator trained so far.", default=()
    )


class Training(Frozen):
    """The optimiser and its schedules (SGD with classical momentum)."""

    update: Literal["simultaneous", "alternating"] = Field(
        "simultaneous",
        description="Both players from one batch (the released code), or Algorithm 1.",
    )
    discriminator_steps: PositiveInt = Field(
        1, description="k of Algorithm 1: discriminator steps per generator step."
    )
    engine: Literal["fused", "naive"] = Field(
        "fused",
        description="What computes simultaneous updates: one backward pass for both players and "
        "all seeds, or plain autograd (ganbench/training/naive.py), slower, the same to rounding.",
    )
    objective: Objective = Field("non_saturating", description="The players' losses (D2, D5).")
    precision: Precision = Field(
        "float32",
        description="What the networks' products are computed in; weights, momentum and loss are "
        "always float32 (D15).",
    )
    batch_size: PositiveInt = Field(description="Real images (and fake ones) per update.")
    learning_rate: PositiveFloat = Field(description="Of the first update.")
    learning_rate_decay: PositiveFloat = Field(
        1.000004, description="The rate is divided by this after every minibatch."
    )
    learning_rate_floor: PositiveFloat = Field(1e-6, description="The rate never falls below.")
    anneal_epochs: PositiveInt | None = Field(
        None,
        description="In the last so many epochs the rate falls exponentially to anneal_to instead.",
    )
    anneal_to: PositiveFloat | None = Field(
        None, description="The learning rate that annealing ends at."
    )
    momentum_initial: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="In the first epoch."
    )
    momentum_final: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.7, description="From epoch momentum_epochs on; linear between."
    )
    momentum_epochs: Annotated[int, Field(ge=2)] = Field(
        250, description="Epoch at which the momentum is final."
    )
    max_column_norm: PositiveFloat | None = Field(
        None, description="Bound on the L2 norm of each unit's incoming weights; none if absent."
    )
    phases: tuple[Phase, ...] = list_field("In order.", min_length=1)

    @model_validator(mode="after")
    def _steps_fit_the_update(self) -> Self:
        if self.update == "simultaneous" and self.discriminator_steps != 1:
            raise ValueError("'discriminator_steps' other than 1 needs update: alternating")
        if self.update == "alternating" and self.precision != "float32":
            raise ValueError(
                f"'precision' {self.precision} needs update: simultaneous; use float32"
            )
        if self.engine == "naive" and self.precision != "float32":
            raise ValueError(f"'engine' naive computes in float32, got {self.precision}")
        if (self.anneal_epochs is None) != (self.anneal_to is None):
            raise ValueError(
                "'anneal_epochs' and 'anneal_to' need each other; give both or neither"
            )
        several = len(self.phases) > 1
        if self.anneal_epochs and (several or self.anneal_epochs > self.epochs):
            raise ValueError(
                f"'anneal_epochs' {self.anneal_epochs} needs one phase of at least as many epochs"
            )
        if self.phases[0].generator_front:
            raise ValueError("the first phase has no generator to put 'generator_front' before")
        return self

    @property
    def epochs(self) -> int:
        """Passes over the training set, all phases together."""
        return sum(phase.epochs for phase in self.phases)
