"""A tiny recipe of each method on the digits; parts of two epochs, so that each can be stopped."""

from typing import Any

from ganbench.config import METHODS, Rival

RECIPES: dict[str, dict[str, Any]] = {
    "gmmn": {
        "noise_dim": 4,
        "hidden": [9],
        "widths": [1.0, 4.0],
        "batch_size": 15,
        "schedule": [
            {"epochs": 2, "learning_rate": 0.5, "momentum": 0.9},
            {"epochs": 2, "learning_rate": 0.2, "momentum": 0.5},
        ],
    },
}


def settings(method: str) -> dict[str, Any]:
    """Returns the file of an experiment of the method."""
    return {
        "title": f"tiny {method}",
        "dataset": "digits",
        "method": method,
        "recipe": RECIPES[method],
        "evaluation": {"monitor_every": 1},
    }


def experiment(method: str) -> Rival:
    """Returns the settings of a tiny experiment of the method."""
    actual = METHODS[method].model_validate(settings(method))
    assert isinstance(actual, Rival)
    return actual
