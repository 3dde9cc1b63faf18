import json
import time
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from ganbench import records
from ganbench.errors import GanbenchError
from ganbench.records import (
    Metric,
    Provenance,
    Record,
    companion,
    json_schema,
    provenance,
    read_record,
)

SCHEMA = Path(records.__file__).with_name("records.schema.json")


def provenance_of(**changes: object) -> Provenance:
    content = {
        "code_digest": "code",
        "git_commit": "0" * 40,
        "git_dirty": False,
        "versions": {"python": "3.11.2"},
        "device": "CPU",
        "threads": 1,
        "impl": "reference",
        "precision": "float32",
        "started_at": "2025-01-01T00:00:00+00:00",
        "wall_time_s": 1.5,
    }
    return Provenance(**(content | changes))


def record_of(**changes: object) -> Record:
    content = {
        "stage": "evaluate",
        "suite": "demo",
        "experiment": "digits",
        "seed": 3,
        "config": {"title": "digits", "layers": [1, 2]},
        "config_digest": "config",
        "metrics": [
            Metric(
                name="log_likelihood",
                value=225.25,
                unit="nats",
                standard_error=2.0,
                n=10000,
                labels={"checkpoint": "last", "sigma": 0.1668, "epoch": 25},
            )
        ],
        "provenance": provenance_of(),
    }
    return Record(**(content | changes))


def test_the_committed_schema_is_the_models() -> None:
    assert SCHEMA.read_text() == json_schema(), (
        "write ganbench.records.json_schema() to ganbench/records.schema.json"
    )


@pytest.mark.parametrize(
    "record",
    [record_of(), record_of(status="diverged", message="epoch 3", metrics=[], seed=None)],
    ids=["ok", "diverged"],
)
def test_written_records_fit_the_schema(record: Record, tmp_path: Path) -> None:
    record.write(tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(content)


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "guess"},
        {"status": "fine"},
        {"schema_version": 2},
        {"unknown": 1},
        {"config_digest": None},
        {"metrics": [{"name": "n", "unit": "nats"}]},
    ],
    ids=str,
)
def test_what_the_model_refuses_the_schema_refuses(change: dict) -> None:
    content = json.loads(record_of().model_dump_json()) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(content)
    with pytest.raises(ValidationError):
        Record.model_validate(content)


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "r.json"
    record = record_of()
    record.write(path)
    assert read_record(path) == record
    assert [file.name for file in path.parent.iterdir()] == ["r.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Metric(name="log_likelihood", value=value, unit="nats")


def test_environments_follow_each_other() -> None:
    part = {"code_digest": "c", "versions": {}, "device": "CPU", "threads": 1}
    part |= {"instruction_set": "AVX2", "impl": "reference"}
    for wrong in ([4, 0], [0, 0]):
        with pytest.raises(ValidationError, match="should ascend"):
            provenance_of(environments=[part | {"from_update": start} for start in wrong])


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(GanbenchError) as error:
        read_record(path)
    assert str(error.value) == (
        f"{path}: cannot be read (No such file or directory); run the stage that writes it"
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[]", "file"),
        ('{"stage": 1}', "stage"),
        ("{}", "stage"),
        (json.dumps({"schema_version": 2}), "schema_version"),
    ],
)
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(GanbenchError) as error:
        read_record(path)
    assert str(error.value).startswith(f"{path}: {where}: not a result record of version 1 (")
    assert str(error.value).endswith("); delete it and run its stage again")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON (Expecting value: line 1 column 1 (char 0)); delete it and run"),
        ('{"stage": "train"', "is not valid JSON (Expecting ',' delimiter"),
        ('{"stage": 1, "stage": 2}', "is not valid JSON (key 'stage' is given twice)"),
        ('{"seed": NaN}', "is not valid JSON (NaN is no number)"),
        ('{"seed": 1e999}', "is not valid JSON (a number is too large)"),
        ("9" * 5000, "is not valid JSON (an integer has 5,000 digits, at most 20)"),
        ("[" * 100_000, "is nested too deep"),
        ('["\\ud800"]', "has a control character"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(GanbenchError) as error:
        read_record(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_text_for_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    content = json.loads(record_of().model_dump_json())
    content["provenance"]["threads"] = "1"
    path.write_text(json.dumps(content))
    with pytest.raises(GanbenchError, match=r"r\.json: provenance\.threads: not a result record"):
        read_record(path)


def test_a_companion_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text("epoch\n1\n")
    path = tmp_path / "train.json"
    record = record_of(files={"history.csv": "0" * 64})
    with pytest.raises(GanbenchError, match=r"history\.csv: is not the file that train\.json"):
        companion(path, record, "history.csv")
    file.unlink()
    with pytest.raises(GanbenchError, match=r"history\.csv: is missing; delete .*train\.json"):
        companion(path, record, "history.csv")


def test_an_unchanged_companion_is_found(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    # sha256 of no bytes, as published.
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    record = record_of(files={"empty": digest})
    assert companion(tmp_path / "r.json", record, "empty") == file


def test_a_clock_that_was_put_back_gives_no_negative_time() -> None:
    actual = provenance("train", time.time() + 3600, earlier_s=5.0)
    assert actual.wall_time_s == 5.0
