"""Experiments and suites as files: YAML for people, frozen models for code."""

from ganbench.config.by_method import (
    METHODS,
    Adversarial,
    Rival,
    experiment_class,
    load_adversarial,
    load_experiment,
)
from ganbench.config.experiment import DatasetName, Evaluation, Experiment
from ganbench.config.files import load, settings_digest
from ganbench.config.frozen import Frozen, Title
from ganbench.config.layers import ConvolutionalMaxout, Linear, Maxout, TransposedConvolution
from ganbench.config.methods import Recipe
from ganbench.config.players import (
    Discriminator,
    Generator,
    Objective,
    Phase,
    Precision,
    Training,
)
from ganbench.config.suite import (
    Suite,
    entry_file,
    experiment_name,
    load_suite,
    suite_experiments,
)

__all__ = [
    "METHODS",
    "Adversarial",
    "ConvolutionalMaxout",
    "DatasetName",
    "Discriminator",
    "Evaluation",
    "Experiment",
    "Frozen",
    "Generator",
    "Linear",
    "Maxout",
    "Objective",
    "Phase",
    "Precision",
    "Recipe",
    "Rival",
    "Suite",
    "Title",
    "Training",
    "TransposedConvolution",
    "entry_file",
    "experiment_class",
    "experiment_name",
    "load",
    "load_adversarial",
    "load_experiment",
    "load_suite",
    "settings_digest",
    "suite_experiments",
]
