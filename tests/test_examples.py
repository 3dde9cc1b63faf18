"""The worked example of docs/score.md, on the digits, and the notebook."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def test_the_vae_writes_samples_that_can_be_scored(tmp_path: Path) -> None:
    out = tmp_path / "samples.npy"
    options = ["--dataset", "digits", "--epochs", "2", "--samples", "30", "--out", str(out)]
    actual = subprocess.run(
        [sys.executable, ROOT / "examples" / "vae.py", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    assert actual.stdout.count("nats in the last batch") == 2
    samples = np.load(out)
    assert samples.shape == (30, 64)
    assert samples.dtype == np.float32
    assert 0 <= samples.min() < samples.max() <= 1
    assert len(np.unique(samples, axis=0)) == 30


def test_the_notebook_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    """Its cells in order, in a process of their own; a notebook's display is left out."""
    notebook = json.loads((ROOT / "examples" / "gans_in_20_minutes.ipynb").read_text())
    cells = [one for one in notebook["cells"] if one["cell_type"] == "code"]
    assert not any(one["outputs"] for one in cells), "clear the outputs before a commit"
    checks = (
        "assert scores['200 k-means centres'] > scores['200 real images']",
        "share = history['collapse_share'].dropna()",
        "assert share.max() > 0.25 > share.iloc[-1], share",
        "assert len(list((folder / 'report').glob('*.png'))) >= 5",
    )
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join(["".join(one["source"]) for one in cells] + list(checks)))
    actual = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    assert actual.returncode == 0, actual.stderr
