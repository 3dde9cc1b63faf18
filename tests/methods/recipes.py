"""A tiny recipe of each method on the digits; parts of two epochs, so that each can be stopped."""

from typing import Any

from ganbench.config import METHODS, Rival

CHAINS = {"few": {"chains": 2}, "many": {"chains": 40, "burn_in": 1, "start": "noise"}}
RECIPES: dict[str, dict[str, Any]] = {
    "dbn": {
        "layers": [
            {"units": 12, "epochs": 2, "inputs": "binary"},
            {"units": 7, "epochs": 2, "inputs": "probabilities"},
        ],
        "negative_phase": "persistent",
        "particles": 5,
        "batch_size": 15,
        "ways": CHAINS | {"binary": {"chains": 2, "thin": 2, "pixels": "binary"}},
    },
    "stacked_cae": {
        "layers": [{"units": 12, "epochs": 2}, {"units": 7, "epochs": 2}],
        "batch_size": 15,
        "ways": {name: way | {"sigma": 0.5} for name, way in CHAINS.items()},
    },
    "deep_gsn": {"hidden": 12, "walkback": 3, "batch_size": 15, "epochs": 3, "ways": CHAINS},
    "vae": {"hidden": [12, 9], "code": 3, "batch_size": 15, "epochs": 3},
    "adversarial_autoencoder": {"hidden": [12, 9], "code": 3, "batch_size": 15, "epochs": 3},
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
