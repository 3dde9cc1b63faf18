"""What every experiment says, whatever its method, and which settings a digest covers.

An experiment file is the whole truth about one row of a table: nothing on the command line
changes a scientific setting. A variant is a file of its own that says `extends: other.yaml` and
repeats only what differs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ganbench.catalogue import DATASETS
from ganbench.config.files import settings_digest
from ganbench.config.frozen import Frozen, Title, list_field

Checkpoint = Literal["last", "best_validation"]
if TYPE_CHECKING:
    DatasetName = str
else:
    DatasetName = Literal[tuple(DATASETS)]
ProtocolName = Literal["gan2014", "gmmn2015", "fine"]


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


# what was done before, so that older records stay valid.
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
