"""Settings of the theory experiments; `kind` says which study a file describes."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from ganbench.config import Frozen


def _list(description: str) -> Any:
    return Field(description=description, strict=False, min_length=1)


class Identities(Frozen):
    """Value function, Theorem 1, the pointwise argument and the data-space identity."""

    kind: Literal["identities"]
    samples: PositiveInt = Field(description="Of each density, in a Monte Carlo estimate.")


class OptimalDiscriminator(Frozen):
    """Proposition 1: a trained discriminator against p_data / (p_data + p_g)."""

    kind: Literal["optimal_discriminator"]
    width: PositiveInt = Field(description="Units of each of the two hidden layers.")
    iterations: PositiveInt = Field(description="Of L-BFGS, on exact expectations.")
    dropout_steps: PositiveInt = Field(description="Updates of Adam, with dropout.")
    dropout_rate: PositiveFloat = Field(description="Its first rate; falls to 0, a half cosine.")
    sample_sizes: tuple[PositiveInt, ...] = _list("Points of each density, rising.")
    sample_iterations: PositiveInt = Field(description="Of L-BFGS, on finite samples.")


class Descent(Frozen):
    """Proposition 2: descent in p_g itself, then in a small parametric generator."""

    kind: Literal["descent"]
    step: PositiveFloat = Field(description="Of mirror descent in p_g; 1 is the largest safe one.")
    steps: PositiveInt = Field(description="Updates of p_g.")
    parametric_step: PositiveFloat = Field(description="Of gradient descent in the parameters.")
    parametric_steps: PositiveInt = Field(description="Updates of the parameters.")


Study = Annotated[Identities | OptimalDiscriminator | Descent, Field(discriminator="kind")]


class TheoryExperiment(Frozen):
    """One theory experiment."""

    title: str = Field(description="How the report calls it.")
    note: str = Field("", description="What a reader must know.")
    study: Study
