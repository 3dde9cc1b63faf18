"""The stage: a record and its arrays, the same twice, and errors in one line."""

import numpy as np
import pytest
import yaml

from ganbench.errors import ConfigError
from ganbench.records import companion, read_record
from ganbench.theory.run import STUDIES, run


def record_of(suite, kind):
    path = suite.parent / "results" / kind / "theory.json"
    return path, read_record(path)


@pytest.mark.parametrize("kind", STUDIES)
def test_every_kind_writes_a_record_and_its_arrays(small_suite, kind):
    path, record = record_of(small_suite, kind)
    assert (record.stage, record.suite, record.experiment) == ("theory", "small", kind)
    assert record.seed is None
    assert record.config["seeds"] == [0, 1]
    assert record.metrics
    with np.load(companion(path, record, "theory.npz")) as arrays:
        assert arrays.files


@pytest.mark.parametrize("kind", ["figure1", "objectives", "helvetica"])
def test_a_second_run_gives_the_same_numbers_bit_for_bit(small_suite, tmp_path, kind):
    _, first = record_of(small_suite, kind)
    again = run(
        small_suite.parent / f"{kind}.yaml", tmp_path / "theory.json", "small", "cpu", [0, 1]
    )
    assert again.metrics == first.metrics
    assert again.files == first.files
    assert again.config_digest == first.config_digest


def test_identities_hold_and_were_not_compared_with_themselves(small_suite):
    path, record = record_of(small_suite, "identities")
    claims = {metric.name: metric for metric in record.metrics if "bound" in metric.labels}
    assert {"theorem_1_1d", "theorem_1_2d", "minimum", "minimum_only_there"} <= claims.keys()
    for name, claim in claims.items():
        sign = 1 if claim.labels["relation"] == "at most" else -1
        assert sign * claim.value <= sign * claim.labels["bound"], name
    assert claims["value_monte_carlo"].value > 0.5  # equal numbers would give 0
    flattest = 0.05 / 2.05  # a / (a + b) where, by calculus, the peak is bent least
    bend = -((flattest ** (1 / 3) + (1 - flattest) ** (1 / 3)) ** 3)
    assert claims["pointwise_second_derivative"].value == pytest.approx(bend, rel=1e-3)
    with np.load(companion(path, record, "theory.npz")) as arrays:
        sides = arrays["shift_best_value"], arrays["shift_divergence_side"]
    np.testing.assert_allclose(*sides, rtol=0, atol=1e-9)  # the bound of Theorem 1 on the line


def test_an_unknown_kind_and_a_bad_value_are_said_in_one_line(tmp_path):
    file = tmp_path / "study.yaml"
    for study, message in [
        ({"kind": "magic"}, "study: .*'magic'"),
        (
            {"kind": "identities", "samples": 0},
            "study: identities: samples: .*greater than 0, got 0",
        ),
        ({"kind": "identities", "samples": 5, "sample": 1}, "unknown key 'sample'"),
    ]:
        file.write_text(yaml.safe_dump({"title": "x", "study": study}))
        with pytest.raises(ConfigError, match=message) as caught:
            run(file, tmp_path / "theory.json", "small", "cpu", [0])
        assert "\n" not in str(caught.value)
