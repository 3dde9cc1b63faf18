"""A suite of every kind of theory experiment, cut to a few seconds and run once."""

from pathlib import Path

import pytest
import yaml

from ganbench.config import load_suite
from ganbench.theory.run import run

NOTE = "cut to seconds"
OPTIMIZER = {"batch_size": 16}
GAME = {
    "target": "ring",
    "deviation": 0.1,
    "noise_dim": 2,
    "width": 8,
    "weight_clip": 0.05,
    "optimizer": OPTIMIZER,
}
STUDIES = {
    "identities": {"samples": 20000},
    "optimal_discriminator": {
        "width": 16,
        "iterations": 20,
        "dropout_steps": 20,
        "dropout_rate": 0.01,
        "sample_sizes": [32, 512],
        "sample_iterations": 5,
    },
    "descent": {"step": 0.5, "steps": 60, "parametric_step": 0.3, "parametric_steps": 20},
    "figure1": {
        "width": 8,
        "learning_rate": 0.01,
        "optimizer": OPTIMIZER,
        "discriminator_steps": 1,
        "warm_steps": 3,
        "settle_steps": 2,
        "move_steps": 2,
        "move_rate": 0.1,
        "steps": 6,
        "frames": 3,
    },
    "saturation": {
        "width": 8,
        "learning_rate": 0.01,
        "optimizer": {"batch_size": 32},
        "steps": 150,
        "points": 256,
    },
    "objectives": {
        "game": GAME,
        "steps": 100,
        "learning_rates": [0.001, 0.01],
        "tuning_seeds": [7],
        "settings": [
            {"objective": "non_saturating", "update": "simultaneous"},
            {"objective": "wasserstein", "update": "alternating"},
            {"objective": "minimax", "update": "alternating", "k": 2},
        ],
        "samples": 60,
    },
    "helvetica": {
        "game": GAME,
        "objective": "minimax",
        "learning_rate": 0.002,
        "warm_steps": 10,
        "frozen_steps": 10,
        "recovery_steps": 10,
        "measure_every": 5,
        "samples": 50,
    },
}
IMAGES = {
    "dataset": "digits",
    "noise_dim": 4,
    "width": 8,
    "weight_clip": 0.05,
    "dropout": 0.5,
    "optimizer": OPTIMIZER,
}
STUDIES |= {
    "image_objectives": STUDIES["objectives"] | {"game": IMAGES},
    "image_saturation": {"game": IMAGES, "learning_rate": 0.001, "steps": 60, "points": 50},
}


@pytest.fixture(scope="session")
def small_suite(tmp_path_factory) -> Path:
    """The suite's file; its results lie beside it, in results/."""
    folder = tmp_path_factory.mktemp("theory")
    entries = []
    for kind, settings in STUDIES.items():
        content = {"title": kind.capitalize(), "note": NOTE, "study": {"kind": kind, **settings}}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(content))
        entries.append({"config": f"{kind}.yaml", "seeds": [0, 1]})
    suite = folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "small", "title": "Small", "theory": entries}))
    for entry in load_suite(suite).theory:
        out = folder / "results" / Path(entry.config).stem / "theory.json"
        run(folder / entry.config, out, "small", "cpu", entry.seeds)
    return suite
