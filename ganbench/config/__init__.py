"""Experiments and suites as files: YAML for people, frozen models for code."""

from ganbench.config.experiment import (
    DatasetName,
    Discriminator,
    Evaluation,
    Experiment,
    Generator,
    Objective,
    Phase,
    Precision,
    Suite,
    Training,
    load_experiment,
)
from ganbench.config.files import load, settings_digest
from ganbench.config.frozen import Frozen, Title
from ganbench.config.layers import ConvolutionalMaxout, Linear, Maxout, TransposedConvolution
from ganbench.config.methods import Recipe
from ganbench.config.suite import (
    entry_file,
    experiment_name,
    load_suite,
    suite_experiments,
)

__all__ = [
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
    "Suite",
    "Title",
    "Training",
    "TransposedConvolution",
    "entry_file",
    "experiment_name",
    "load",
    "load_experiment",
    "load_suite",
    "settings_digest",
    "suite_experiments",
]
