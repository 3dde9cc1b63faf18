"""Experiments of each method: the paper's own pair of players, and the methods of other papers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model

from ganbench.config.experiment import Experiment
from ganbench.config.files import load, read_extended, validate
from ganbench.config.frozen import Frozen
from ganbench.config.methods import RECIPES, Recipe
from ganbench.config.players import Discriminator, Generator, Training
from ganbench.errors import ConfigError
from ganbench.inputs import shown


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
