"""What `ganbench doctor` says of a suite's time."""

import re
from pathlib import Path

import pytest

from ganbench import doctor

SUITES = Path(__file__).parent.parent / "configs" / "suites"


def said(capsys: pytest.CaptureFixture[str], suite: str, folder: Path) -> str:
    doctor.doctor(SUITES / f"{suite}.yaml", folder, "cpu")
    return capsys.readouterr().out


def test_hours_count_data_that_is_still_to_come(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hours = re.search(r"Rough: ([\d.]+) hours", said(capsys, "paper", tmp_path))
    assert hours
    assert float(hours[1]) > 0


def test_a_suite_of_theory_trains_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "No training; 8 theory experiments" in said(capsys, "theory", tmp_path)


@pytest.mark.parametrize(("load", "busy"), [(1000.0, True), (0.0, False)])
def test_a_busy_machine_is_named(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    load: float,
    busy: bool,
) -> None:
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (load, load, load))
    assert ("the machine is busy" in said(capsys, "demo", tmp_path)) == busy
