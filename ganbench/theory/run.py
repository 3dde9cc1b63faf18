"""Runs a theory experiment: one record, and one file of arrays beside it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.config import experiment_name, load, settings_digest
from ganbench.provenance import atomic_path, file_sha256
from ganbench.records import Record, provenance
from ganbench.theory import (
    descent,
    figure1,
    helvetica,
    identities,
    images,
    objectives,
    optimal_discriminator,
    saturation,
)
from ganbench.theory.config import TheoryExperiment
from ganbench.theory.findings import Findings

STUDIES: dict[str, Callable[[Any, Sequence[int], str], Findings]] = {
    "identities": identities.study,
    "optimal_discriminator": optimal_discriminator.study,
    "descent": descent.study,
    "figure1": figure1.study,
    "saturation": saturation.study,
    "objectives": objectives.study,
    "helvetica": helvetica.study,
    "image_objectives": images.study_objectives,
    "image_saturation": images.study_saturation,
}


def run(config_path: Path, out: Path, suite: str, device: str, seeds: Sequence[int]) -> Record:
    """Runs one theory experiment for all its seeds at once and writes its record.

    Args:
        config_path: the experiment file.
        out: the record to write; its arrays go beside it, with the suffix .npz.
        suite: the suite that the record belongs to.
        device: "cpu" or "cuda".
        seeds: of the suite's entry; one process runs them all.

    Raises:
        ConfigError: the file is not a theory experiment.
        GanbenchError: the folder cannot be written.
    """
    started = time.time()
    torch.set_num_threads(1)
    experiment = load(TheoryExperiment, config_path)
    findings = STUDIES[experiment.study.kind](experiment.study, seeds, device)
    arrays = out.with_suffix(".npz")
    with atomic_path(arrays) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **findings.arrays)
    settings = experiment.model_dump(mode="json") | {"seeds": list(seeds)}
    record = Record(
        stage="theory",
        suite=suite,
        experiment=experiment_name(config_path),
        config=settings,
        config_digest=settings_digest({key: settings[key] for key in ("study", "seeds")}),
        files={arrays.name: file_sha256(arrays)},
        metrics=findings.metrics,
        provenance=provenance(
            "theory", started, device, torch.get_num_threads(), "reference", "float32 and float64"
        ),
    )
    record.write(out)
    return record
