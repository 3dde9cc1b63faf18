import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ganbench.config import Adversarial
from ganbench.errors import GanbenchError
from ganbench.numerics import VERSION_1_CODE
from ganbench.report.collect import collect, read_history

from .synthetic import Synthetic

Write = Callable[..., Synthetic]


def read(suite: Synthetic) -> None:
    collect(suite.config, suite.results)


@pytest.mark.parametrize("stage", ["train", "sample", "evaluate"])
def test_records_of_another_version_of_the_numbers_are_refused(
    synthetic: Write, stage: str
) -> None:
    suite = synthetic({"digits": (0, 1)})
    first, second = (suite.record_path("digits", seed, stage) for seed in (0, 1))
    suite.edit(second, provenance={"numerics": 2})
    with pytest.raises(GanbenchError) as error:
        read(suite)
    assert str(error.value) == (
        f"{second}: its numbers (version 2) are not those of {first} (version 1); a table cannot "
        "mix them: run the older one's stage again"
    )


def test_other_code_of_the_same_version_is_mixed(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1)})
    suite.edit(suite.record_path("digits", 1, "train"), provenance={"code_digest": "other-code"})
    read(suite)


def test_older_records_have_their_version_by_their_code(synthetic: Write) -> None:
    """Beside version 1 only code that is known to have made the same numbers."""
    suite = synthetic({"digits": (0, 1)})
    first, second = (suite.record_path("digits", seed, "train") for seed in (0, 1))
    known = min(VERSION_1_CODE)
    suite.edit(second, provenance={"numerics": None, "code_digest": known})
    read(suite)
    suite.edit(second, provenance={"code_digest": "c" * 64})
    with pytest.raises(GanbenchError, match=r"its numbers \(code cccccccccccc\) are not those of"):
        read(suite)
    suite.edit(first, provenance={"numerics": None, "code_digest": "c" * 64})
    read(suite)


def test_records_of_other_data_are_refused(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1)})
    suite.edit(suite.record_path("digits", 1, "evaluate"), datasets={"test": "c" * 64})
    with pytest.raises(GanbenchError, match=r"seed_1/evaluate\.json: its pixels \(data set digest"):
        read(suite)


def test_records_of_other_settings_are_refused(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1)})
    path = suite.record_path("digits", 1, "train")
    config = json.loads(path.read_text())["config"]
    config["training"]["learning_rate"] = 0.5
    suite.edit(path, config=config)
    with pytest.raises(GanbenchError, match=r"train\.json: was made with other settings") as error:
        read(suite)
    assert "digits.yaml has now" in str(error.value)


def test_a_training_run_outlives_another_evaluation(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    path = suite.record_path("digits", 0, "train")
    config = json.loads(path.read_text())["config"]
    config["evaluation"]["checkpoints"] = ["last"]
    suite.edit(path, config=config, config_digest=Adversarial.model_validate(config).digest)
    read(suite)


def test_a_training_run_of_unknown_settings_is_refused(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    suite.edit(suite.record_path("digits", 0, "train"), config={"surprise": 1})
    with pytest.raises(GanbenchError, match="seed 0: its train record holds settings of another"):
        read(suite)


def test_stale_baselines_is_refused(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    suite.edit(suite.results / "digits" / "baselines.json", config_digest="f" * 64)
    with pytest.raises(GanbenchError, match=r"baselines\.json: was made with other settings"):
        read(suite)


def test_a_missing_record_is_named(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1)})
    suite.record_path("digits", 1, "sample").unlink()
    with pytest.raises(GanbenchError, match=r"seed_1/sample\.json: cannot be read"):
        read(suite)


def test_a_diverged_seed_beside_finished_ones_is_not_refused(synthetic: Write) -> None:
    suite = synthetic({"digits": (0, 1, 2)}, statuses={("digits", 1): "diverged"})
    (digits,) = collect(suite.config, suite.results)
    assert digits.seeds_with("ok") == [0, 2]
    assert digits.seeds_with("diverged") == [1]
    assert digits.shown_seed == 0
    assert digits.messages == ["digits 8 x 8, seed 1: digits: diverged; see the log"]


@pytest.mark.parametrize(("scores", "shown"), [((9, 1, 5), 2), ((1, 5, 9), 1), ((5, 9, 5.5), 2)])
def test_the_seed_of_median_likelihood_is_shown(synthetic: Write, scores, shown) -> None:
    values = {("digits", seed): float(score) for seed, score in enumerate(scores)}
    suite = synthetic({"digits": (0, 1, 2)}, scores=values)
    (digits,) = collect(suite.config, suite.results)
    assert digits.shown_seed == shown


def test_of_two_seeds_the_less_likely_is_shown(synthetic: Write) -> None:
    suite = synthetic(
        {"digits": (4, 2, 0)}, statuses={("digits", 0): "diverged"}, scores={("digits", 2): 300.0}
    )
    (digits,) = collect(suite.config, suite.results)
    assert digits.shown_seed == 4


def test_missing_data_is_told_without_the_machines_folders(synthetic: Write) -> None:
    suite = synthetic({"tfd": (0,)}, unavailable=("tfd",))
    message = "/some/home/data/tfd/TFD_48x48.mat: is missing; ask for it"
    suite.edit(suite.results / "data" / "tfd.json", message=message)
    (tfd,) = collect(suite.config, suite.results)
    assert tfd.messages == ["TFD: tfd/TFD_48x48.mat in the data directory: is missing; ask for it"]


def test_a_metric_must_be_there_once(synthetic: Write) -> None:
    suite = synthetic({"digits": (0,)})
    (digits,) = collect(suite.config, suite.results)
    train = digits.stages["train"][0]
    assert train.metric("epochs").value == digits.experiment.training.epochs
    with pytest.raises(
        GanbenchError, match=r"train\.json: metrics: should hold one 'fid' .* got 0"
    ):
        train.metric("fid")
    with pytest.raises(GanbenchError, match="got 2"):
        train.metric("validation_log_likelihood")


ROW = "1,1,0.1,-3.5\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no history (No columns to parse from file)"),
        (b"epoch,phase\n1\n1,2,3,4\n", "is no history (Error tokenizing data."),
        (b"epoch,phase\n1,1\n", "has no column 'learning_rate'"),
        (f"{{}}{ROW}{ROW}".encode(), "epoch: should count from 1, each epoch once"),
        (f"{{}}{ROW}".replace("0.1", "fast").encode(), "'learning_rate': should be numbers"),
        (f"{{}}{ROW}".replace("1,1", "1,-1").encode(), "phase: should never be negative"),
        (b"\xff\xfe1", "is not UTF-8 (byte 0xff at 0)"),
    ],
)
def test_a_damaged_history_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "history.csv"
    head = b"epoch,phase,learning_rate,validation_log_likelihood\n"
    path.write_bytes(content.replace(b"{}", head))
    with pytest.raises(GanbenchError) as error:
        read_history(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)
