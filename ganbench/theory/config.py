"""Settings of the theory experiments; `kind` says which study a file describes."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ganbench.config import DatasetName, Frozen, Objective, Title

# No study needs more, and more would not fit into a machine's memory.
Width = Annotated[int, Field(gt=0, le=10_000)]
Points = Annotated[int, Field(gt=0, le=10_000_000)]


def _list(description: str) -> Any:
    return Field(description=description, strict=False, min_length=1)


class Identities(Frozen):
    """Value function, Theorem 1, the pointwise argument and the data-space identity."""

    kind: Literal["identities"]
    samples: Points = Field(description="Of each density, in a Monte Carlo estimate.")


class OptimalDiscriminator(Frozen):
    """Proposition 1: a trained discriminator against p_data / (p_data + p_g)."""

    kind: Literal["optimal_discriminator"]
    width: Width = Field(description="Units of each of the two hidden layers.")
    iterations: PositiveInt = Field(description="Of L-BFGS, on exact expectations.")
    dropout_steps: PositiveInt = Field(description="Updates of Adam, with dropout.")
    dropout_rate: PositiveFloat = Field(description="Its first rate; falls to 0, a half cosine.")
    sample_sizes: tuple[Points, ...] = _list("Points of each density, rising.")
    sample_iterations: PositiveInt = Field(description="Of L-BFGS, on finite samples.")


class Descent(Frozen):
    """Proposition 2: descent in p_g itself, then in a small parametric generator."""

    kind: Literal["descent"]
    step: PositiveFloat = Field(description="Of mirror descent in p_g; 1 is the largest safe one.")
    steps: PositiveInt = Field(description="Updates of p_g.")
    parametric_step: PositiveFloat = Field(description="Of gradient descent in the parameters.")
    parametric_steps: PositiveInt = Field(description="Updates of the parameters.")


class Optimizer(Frozen):
    """Adam, the same for both players and all objectives."""

    batch_size: Points = Field(description="Real points, and fake ones, in an update.")
    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Decay of the first moment; momentum harms a Wasserstein critic."
    )
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="Decay of the second.")


class Figure1(Frozen):
    """The paper's Figure 1: a game on the line."""

    kind: Literal["figure1"]
    width: Width = Field(description="Units of each of the two hidden layers.")
    learning_rate: PositiveFloat = Field(description="First; falls linearly to 0.")
    optimizer: Optimizer
    discriminator_steps: PositiveInt = Field(description="k of Algorithm 1.")
    warm_steps: PositiveInt = Field(description="Updates of G before the first moment.")
    settle_steps: PositiveInt = Field(description="Updates of D alone before the second.")
    move_steps: PositiveInt = Field(description="Updates of G alone before the third.")
    move_rate: PositiveFloat = Field(description="Part of the learning rate that those take.")
    steps: PositiveInt = Field(description="Updates of G in all before the last.")
    frames: Points = Field(description="Of the animation.")


class Saturation(Frozen):
    """Gradients that reach a fixed, early G while D is trained further and further."""

    kind: Literal["saturation"]
    width: Width = Field(description="Units of each of the two hidden layers.")
    learning_rate: PositiveFloat = Field(description="Of the discriminator.")
    optimizer: Optimizer
    steps: PositiveInt = Field(description="Updates of D.")
    points: Points = Field(description="Noise vectors behind a measured gradient.")


class Setting(Frozen):
    """A way to train: losses, and who moves when."""

    objective: Objective = Field(description="The players' losses.")
    update: Literal["simultaneous", "alternating"] = Field(
        description="Both players from one batch (the released code), or Algorithm 1."
    )
    k: PositiveInt = Field(1, description="Discriminator steps per generator step.")

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        return f"{self.objective}, {self.update}, k = {self.k}"


class Game2D(Frozen):
    """Networks and data of the games in the plane."""

    target: Literal["ring", "grid"] = Field(description="8 Gaussians, or 5 x 5.")
    deviation: PositiveFloat = Field(description="Of each Gaussian; the ring's radius is 2.")
    noise_dim: Width = Field(description="Dimensions of z, standard normal.")
    width: Width = Field(description="Units of each of the two hidden layers.")
    weight_clip: PositiveFloat = Field(description="Bound on a Wasserstein critic's weights.")
    optimizer: Optimizer


class Objectives(Frozen):
    """The objectives and k side by side, on equal budgets."""

    kind: Literal["objectives"]
    game: Game2D
    steps: PositiveInt = Field(description="Updates of D in each run, whatever k is.")
    learning_rates: tuple[PositiveFloat, ...] = _list("First rates to choose from, per objective.")
    tuning_seeds: tuple[NonNegativeInt, ...] = _list("That choose the rate; never reported.")
    settings: tuple[Setting, ...] = _list("To compare; the first is the paper's.")
    samples: Points = Field(description="Of each run, and of the data, when it is measured.")

    @model_validator(mode="after")
    def _each_once(self) -> "Objectives":
        _refuse_twice(self)
        return self


def _refuse_twice(study: Any) -> None:
    for name in ("settings", "tuning_seeds", "learning_rates"):
        values = getattr(study, name)
        if len(set(values)) < len(values):
            raise ValueError(f"{name!r} should name nothing twice")


class Helvetica(Frozen):
    """G trained on against a D that stands still, then D kept in step again."""

    kind: Literal["helvetica"]
    game: Game2D
    objective: Literal["non_saturating", "minimax"] = Field(description="The players' losses.")
    learning_rate: PositiveFloat = Field(description="Of both players.")
    warm_steps: PositiveInt = Field(description="Updates of both players, in step.")
    frozen_steps: PositiveInt = Field(description="Then of G alone.")
    recovery_steps: PositiveInt = Field(description="Then of both again.")
    measure_every: PositiveInt = Field(description="Updates between measurements.")
    samples: Points = Field(description="Of each run, when it is measured.")


class ImageGame(Frozen):
    """Networks and data of the games on images: ReLU layers, sigmoid pixels."""

    dataset: DatasetName = Field(description="The data set.")
    noise_dim: Width = Field(description="Dimensions of z, standard normal.")
    width: Width = Field(description="Units of each of the two hidden layers.")
    weight_clip: PositiveFloat = Field(description="Bound on a Wasserstein critic's weights.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Part of D's hidden units that an update leaves out, as in the paper."
    )
    optimizer: Optimizer


class ImageObjectives(Frozen):
    """The objectives and k on images, on equal budgets."""

    kind: Literal["image_objectives"]
    game: ImageGame
    steps: PositiveInt = Field(description="Updates of D in each run, whatever k is.")
    learning_rates: tuple[PositiveFloat, ...] = _list("First rates to choose from, per objective.")
    tuning_seeds: tuple[NonNegativeInt, ...] = _list("That choose the rate; never reported.")
    settings: tuple[Setting, ...] = _list("To compare; the first is the paper's.")
    samples: Points = Field(description="Of each run, for its likelihood.")

    @model_validator(mode="after")
    def _each_once(self) -> "ImageObjectives":
        _refuse_twice(self)
        return self


class ImageSaturation(Frozen):
    """Gradients that reach an untrained G on images while D is trained further and further."""

    kind: Literal["image_saturation"]
    game: ImageGame
    learning_rate: PositiveFloat = Field(description="Of the discriminator.")
    steps: PositiveInt = Field(description="Updates of D.")
    points: Points = Field(description="Noise vectors behind a measured gradient.")


Study = Annotated[
    Identities
    | OptimalDiscriminator
    | Descent
    | Figure1
    | Saturation
    | Objectives
    | Helvetica
    | ImageObjectives
    | ImageSaturation,
    Field(discriminator="kind"),
]


class TheoryExperiment(Frozen):
    """One theory experiment."""

    title: Title = Field(description="How the report calls it.")
    note: Title = Field("", description="What a reader must know.")
    study: Study
