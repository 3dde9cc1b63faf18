"""The training loop's collapse alarm, on the states that the Helvetica study saved."""

import numpy as np
import pytest
import torch

from ganbench.evaluation.diversity import COLLAPSED, collapse_share
from ganbench.records import companion, read_record


@pytest.fixture(scope="module")
def saved(pytestconfig) -> dict[str, np.ndarray]:
    path = pytestconfig.rootpath / "results/published/theory/theory_helvetica/theory.json"
    with np.load(companion(path, read_record(path), "theory.npz")) as file:
        return dict(file)


@pytest.mark.parametrize(
    ("phase", "alarm"), [("in_step", False), ("D_frozen", True), ("in_step_again", False)]
)
def test_the_alarm_fires_on_the_collapsed_state_and_on_no_other(saved, phase, alarm):
    real = torch.from_numpy(saved["real"])
    for samples in torch.from_numpy(saved[f"{phase}_samples"]):
        assert (collapse_share(samples, real) >= COLLAPSED) == alarm
