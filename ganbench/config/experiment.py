"""The settings of experiments and suites, and which of them a digest covers.

An experiment file is the whole truth about one row of a table: nothing on the command line
changes a scientific setting. A variant is a file of its own that says `extends: other.yaml` and
repeats only what differs.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    create_model,
    field_validator,
    model_validator,
)

from ganbench.catalogue import DATASETS
from ganbench.config.files import load, read_extended, settings_digest, validate
from ganbench.config.frozen import Frozen, Title, list_field
from ganbench.config.layers import DiscriminatorLayer, GeneratorLayer, Linear
from ganbench.config.methods import RECIPES, Recipe
from ganbench.errors import ConfigError
from ganbench.inputs import shown

Checkpoint = Literal["last", "best_validation"]
if TYPE_CHECKING:
    DatasetName = str
else:
    DatasetName = Literal[tuple(DATASETS)]
Precision = Literal["float32", "tf32", "bfloat16"]
Objective = Literal["non_saturating", "minimax", "hinge", "wasserstein"]
ProtocolName = Literal["gan2014", "gmmn2015", "fine"]
NAME = "[a-z0-9_]+"
MOST_SEEDS = 100_000  # of one experiment
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


def _repeat(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


class Evaluation(Frozen):
    """What is measured, and when (D3)."""

    protocol: ProtocolName = Field(
        "gan2014", description="Fixes samples, validation images and bandwidth grid by name."
    )
    further_protocols: tuple[ProtocolName, ...] = list_field(
        "Protocols that score the headline's samples too, in numbers of their own.", default=()
    )
    draws: PositiveInt = Field(
        1,
        description="Independent draws of the protocol's samples from each state; with two or more "
        "also likelihoods of up to 100,000 samples.",
    )
    monitor_every: PositiveInt = Field(
        description="Epochs between validation log-likelihoods during training (the last always)."
    )
    checkpoints: tuple[Checkpoint, ...] = list_field(
        "Reported states of the generator; the first one is the headline.",
        default=("last", "best_validation"),
        min_length=1,
    )
    report_epochs: tuple[PositiveInt, ...] = list_field(
        "Epochs, ascending, after which the generator is reported too, as a row of its own.",
        default=(),
    )

    @model_validator(mode="after")
    def _states_differ(self) -> Self:
        if _repeat(self.checkpoints):
            raise ValueError("'checkpoints' should name no state twice")
        if self.protocol in self.further_protocols or _repeat(self.further_protocols):
            raise ValueError("'further_protocols' should name each other protocol once")
        if list(self.report_epochs) != sorted(set(self.report_epochs)):
            raise ValueError("'report_epochs' should ascend and name no epoch twice")
        return self

    @property
    def states(self) -> tuple[str, ...]:
        """Names of all reported states of the generator; the first one is the headline."""
        return *self.checkpoints, *(f"epoch_{epoch}" for epoch in self.report_epochs)


class Experiment(Frozen):
    """One row of the table; each method has a class of its own, which `experiment_class` finds."""

    method: str = Field(description="How the model is trained.")
    title: Title = Field(description="How tables and figures call it.")
    note: Title = Field("", description="What a reader of the row must know (budget, stand-in).")
    paper_column: Literal["MNIST", "TFD"] | None = Field(
        None, description="The column of the paper's Table 1 that this row is compared with."
    )
    figure: Literal["2a", "2b", "2c", "2d"] | None = Field(
        None, description="The panel of the paper's Figure 2 that its samples reproduce."
    )
    dataset: DatasetName = Field(description="The data set.")
    preprocessing: Literal["unit_interval", "global_contrast"] = Field(
        "unit_interval",
        description="Pixels in [0, 1], or each image centred and scaled to L2 norm 55.",
    )
    evaluation: Evaluation

    @model_validator(mode="after")
    def _reported_epochs_exist(self) -> Self:
        # Earlier phases have generators with fewer layers, which no reported state may mix with.
        first = self.epochs - self.phase_epochs[-1]
        for epoch in self.evaluation.report_epochs:
            if not first < epoch <= self.epochs:
                raise ValueError(
                    f"'report_epochs' has {epoch}, but the last phase is epochs {first + 1} to "
                    f"{self.epochs}"
                )
        return self

    @property
    def phase_epochs(self) -> tuple[int, ...]:
        """Passes over the training set in each phase."""
        raise NotImplementedError

    @property
    def epochs(self) -> int:
        """Passes over the training set, all phases together."""
        return sum(self.phase_epochs)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of all that is sampled and reported; the first one is the headline."""
        return self.evaluation.states

    def weights_of(self, state: str) -> str:
        """Returns the state of training whose weights are sampled for a reported state."""
        return state

    def _trained_settings(self) -> dict[str, Any]:
        """The settings of the model and of its training."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """Identifies every setting that can change a number."""
        settings = self.model_dump(mode="json", exclude={"title", "note", "figure"})
        if self.method == "adversarial":
            # Records from before there were other methods do not name it.
            del settings["method"]
        return settings_digest(_without_later(settings))

    @property
    def training_digest(self) -> str:
        """Identifies every setting that can change the weights or the history."""
        settings = self.model_dump(mode="json", include={"dataset", "preprocessing"})
        settings |= self._trained_settings()
        settings["monitor_every"] = self.evaluation.monitor_every
        if self.evaluation.protocol != "gan2014":
            # It monitors training and chooses the best state; named only where it is another (D9).
            settings["protocol"] = self.evaluation.protocol
        if self.evaluation.report_epochs:
            settings["report_epochs"] = list(self.evaluation.report_epochs)
        return settings_digest(_without_later(settings))

    @property
    def data_digest(self) -> str:
        """Identifies the settings of what is measured on the data alone, whatever the model."""
        settings = self.model_dump(mode="json", include={"dataset", "preprocessing"})
        measured = self.evaluation.model_dump(mode="json", include={"protocol", "draws"})
        return settings_digest(settings | measured)


class Adversarial(Experiment):
    """A generator and a discriminator, as in the paper."""

    method: Literal["adversarial"] = Field(
        "adversarial", description="How the model is trained; `recipe` holds any other method's."
    )
    generator: Generator
    discriminator: Discriminator
    training: Training

    @property
    def phase_epochs(self) -> tuple[int, ...]:
        """Passes over the training set in each phase."""
        return tuple(phase.epochs for phase in self.training.phases)

    def _trained_settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"generator", "discriminator", "training"})


class Rival(Experiment):
    """A method of another paper, by the recipe that its name stands for."""

    recipe: Recipe

    @property
    def phase_epochs(self) -> tuple[int, ...]:
        """Passes over the training set in each part of the recipe."""
        return tuple(part.epochs for part in self.recipe.parts)

    @property
    def states(self) -> tuple[str, ...]:
        """The states of training, then the last one sampled in each further way."""
        further = list(self.recipe.ways_to_sample)[1:]
        return *super().states, *(f"last_{way}" for way in further)

    def weights_of(self, state: str) -> str:
        """Returns the state of training whose weights are sampled for a reported state."""
        return state if state in self.evaluation.states else "last"

    def way_of(self, state: str) -> Frozen | None:
        """Returns how a state is sampled; None where the recipe has one way only."""
        ways = self.recipe.ways_to_sample
        first = next(iter(ways.values()), None)
        return ways.get(state.removeprefix("last_"), first)

    def _trained_settings(self) -> dict[str, Any]:
        # How samples are drawn changes no weight, so that a further way retrains nothing.
        return {
            "method": self.method,
            "recipe": self.recipe.model_dump(mode="json", exclude={"ways"}),
        }


def _rival(method: str, recipe: type[Recipe]) -> type[Rival]:
    fields: dict[str, Any] = {
        "method": (Literal[method], Field(description="How the model is trained.")),
        "recipe": (recipe, Field(description="The method's settings.")),
    }
    return create_model(f"{recipe.__name__}Experiment", __base__=Rival, **fields)


METHODS: Mapping[str, type[Experiment]] = {"adversarial": Adversarial} | {
    method: _rival(method, recipe) for method, recipe in RECIPES.items()
}


def experiment_class(content: Mapping[str, Any]) -> type[Experiment] | None:
    """Returns the class of an experiment's settings by their `method`; None if unknown."""
    method = content.get("method", "adversarial")
    return METHODS.get(method) if isinstance(method, str) else None


# Settings that came after records were published: a digest names them only where they differ from
# what was done before, so that older records stay valid.
LATER = {
    ("training", "precision"): "float32",
    ("training", "engine"): "fused",
    ("training", "anneal_epochs"): None,
    ("training", "anneal_to"): None,
    ("evaluation", "draws"): 1,
    ("evaluation", "report_epochs"): [],
    ("evaluation", "further_protocols"): [],
}


def _without_later(settings: dict[str, Any]) -> dict[str, Any]:
    kept = {name: dict(part) if isinstance(part, dict) else part for name, part in settings.items()}
    for (part, name), before in LATER.items():
        if part in kept and kept[part].get(name) == before:
            del kept[part][name]
    return kept


class SuiteEntry(Frozen):
    """An experiment and how often it is run."""

    config: str = Field(description="The experiment file, relative to the suite file.")
    seeds: tuple[NonNegativeInt, ...] = Field(
        description="One training run each: a list, or FIRST-LAST.", strict=False, min_length=1
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _written_out(cls, seeds: Any) -> Any:
        """Thousands of seeds are one value of a suite file."""
        if not isinstance(seeds, str) or not (
            ends := re.fullmatch(r"(\d{1,18})-(\d{1,18})", seeds)
        ):
            return seeds
        first, last = map(int, ends.groups())
        if not first <= last < first + MOST_SEEDS:
            raise ValueError(f"give FIRST-LAST, as in 0-99, with at most {MOST_SEEDS:,} seeds")
        return tuple(range(first, last + 1))


class Suite(Frozen):
    """The experiments that one run of the workflow reproduces."""

    name: str = Field(pattern=f"^{NAME}$", max_length=100, description="Its folder under results/.")
    title: Title = Field(description="Heads the report and the paper.")
    experiments: tuple[SuiteEntry, ...] = list_field("In the order of the table.", default=())
    theory: tuple[SuiteEntry, ...] = list_field("Theory experiments, in order.", default=())


def load_experiment(path: Path) -> Experiment:
    """Reads an experiment file and what it extends.

    Raises:
        ConfigError: names the file, the key, the value and the remedy.
    """
    content = read_extended(path)
    model = experiment_class(content)
    if model is None:
        raise ConfigError(
            f"{path}: method: got {shown(content['method'])}; use one of {', '.join(METHODS)}"
        )
    return validate(model, content, path, extendable=True)


def load_adversarial(path: Path) -> Adversarial:
    """Reads an experiment file of a generator and a discriminator.

    Raises:
        ConfigError: names the file, the key, the value and the remedy.
    """
    return load(Adversarial, path)
