"""The worked example of docs/score.md, on the digits."""

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
