"""Small settings that tests change."""

from typing import Any

import yaml

from ganbench.config import (
    Adversarial,
)

SETTINGS = {
    "title": "small",
    "dataset": "digits",
    "generator": {
        "noise": "uniform",
        "noise_dim": 4,
        "layers": [{"kind": "linear", "units": 64, "irange": 0.05}],
    },
    "discriminator": {"layers": [{"kind": "linear", "units": 1, "irange": 0.005}]},
    "training": {"batch_size": 100, "learning_rate": 0.1, "phases": [{"epochs": 3}]},
    "evaluation": {"monitor_every": 5},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Returns `SETTINGS` with the value at a dotted path replaced; `...` removes it."""
    settings = yaml.safe_load(yaml.safe_dump(SETTINGS))
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = settings
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return settings


def experiment(path: str = "title", value: Any = "small") -> Adversarial:
    return Adversarial.model_validate(changed(path, value))
