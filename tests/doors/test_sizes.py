"""Networks beyond the machine are refused before a byte is taken; numbers are read as meant."""

from pathlib import Path

import pytest

from ganbench.config import load_experiment
from ganbench.errors import ConfigError
from ganbench.plain_yaml import read_yaml
from ganbench.training import cost
from ganbench.training.cost import check_memory

DIGITS = Path(__file__).parents[2] / "configs" / "experiments" / "digits.yaml"


@pytest.mark.parametrize("noise_dim", [10**9, 10**12, 10**18])
def test_networks_beyond_the_machine_are_refused(tmp_path: Path, noise_dim: int) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(f"extends: {DIGITS}\ngenerator:\n  noise_dim: {noise_dim}\n")
    with pytest.raises(ConfigError, match=r"its networks would take .* GB, this machine has"):
        check_memory(load_experiment(path), "cpu", path)
    check_memory(load_experiment(DIGITS), "cpu", DIGITS)


def test_memory_says_how_many_seeds_train_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST on 80 GB: each seed's networks and maps, two epochs' noise and order."""
    experiment = load_experiment(DIGITS.parent / "mnist.yaml")
    monkeypatch.setattr(cost, "machine_bytes", lambda _: 80 * 10**9)
    needed = cost.cost(experiment).memory_bytes
    images, noise = 50_000, 100
    each = needed + 2 * images * (4 * noise + 8)
    there = 0.9 * 80e9 - 4 * images * 784
    assert cost.seeds_at_once(experiment, "cuda") == int(there // each)
    assert cost.seeds_at_once(experiment, "cpu") == int(there // needed)
    # What one seed needs was checked before: a run of one is never refused here.
    monkeypatch.setattr(cost, "machine_bytes", lambda _: 1)
    assert cost.seeds_at_once(experiment, "cuda") == 1


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1e-3", 0.001), ("1e2", 100.0), ("1.5", 1.5), ("-7", -7), ("0", 0), ("yes", "yes"),
        ("no", "no"), ("2014-06-10", "2014-06-10"), ("true", True), ("~", None), ("'010'", "010"),
    ],
)  # fmt: skip
def test_values_are_read_as_people_mean_them(tmp_path: Path, text: str, meant: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    actual = read_yaml(path, "")["a"]
    assert (actual, type(actual)) == (meant, type(meant))
