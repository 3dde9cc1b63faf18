"""With what each part of a run was trained: in its checkpoints, its record, and said in a line."""

from collections.abc import Callable

import pytest
import torch

from ganbench.provenance import code_digest, device_name, versions
from ganbench.records import Record
from ganbench.stages import environments
from ganbench.stages.train import InterruptedRunError
from ganbench_kernels import dispatch

from .conftest import Project
from .training_runs import run, spoil


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of its own, no kernel has run before."""
    monkeypatch.setattr(dispatch, "_choices", {})


@pytest.fixture
def stopped(project: Project, signal_at: Callable[..., None], capsys: pytest.CaptureFixture[str]):
    """Stops a run after an update; then no kernel has run, as in a new process."""

    def stop(number: int) -> None:
        signal_at(number)
        with pytest.raises(InterruptedRunError):
            run(project)
        signal_at(0)
        dispatch._choices.clear()
        capsys.readouterr()

    return stop


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine with another torch, and other code."""
    monkeypatch.setattr(environments, "versions", lambda: versions() | {"torch": "9.9"})
    monkeypatch.setattr(environments, "device_name", lambda _: "Other CPU")
    monkeypatch.setattr(environments, "code_digest", lambda _: "f" * 64)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE")


def starts(record: Record) -> list[int]:
    return [part.from_update for part in record.provenance.environments]


def test_a_run_in_one_go_has_one_environment(project: Project) -> None:
    made = run(project).provenance
    (only,) = made.environments
    assert only.model_dump() == {
        "from_update": 0,
        "code_digest": code_digest("train"),
        "versions": versions(),
        "device": device_name("cpu"),
        "threads": 1,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "impl": "reference",
    }
    assert made.impl == "reference"


def test_a_run_that_goes_on_where_it_was_has_one_too(
    project: Project, stopped: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(4)
    stopped(7)
    assert starts(run(project)) == [0]
    assert capsys.readouterr().err == ""


def test_a_run_that_goes_on_elsewhere_says_so_and_records_both(
    project: Project,
    stopped: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped(4)
    here = torch.backends.cpu.get_cpu_capability()
    elsewhere(monkeypatch)
    record = run(project)
    assert starts(record) == [0, 4]
    first, second = record.provenance.environments
    assert (first.device, second.device) == (device_name("cpu"), "Other CPU")
    assert (first.instruction_set, second.instruction_set) == (here, "SVE")
    assert (first.impl, second.impl) == ("reference", "reference")
    assert capsys.readouterr().err == (
        f"{project.folder}/seed_0/train.json: goes on in another environment, so that it may end "
        f"otherwise (code digest {code_digest('train')[:12]} before, ffffffffffff now; "
        f"device {first.device} before, Other CPU now; instruction set {here} before, SVE now; "
        f"torch {torch.__version__} before, 9.9 now); its record names both, --restart trains "
        "from the start\n"
    )


def test_another_kernel_is_another_environment(
    project: Project, stopped: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(4)
    monkeypatch.setattr(environments, "impl_used", lambda: "triton")
    record = run(project)
    assert [part.impl for part in record.provenance.environments] == ["reference", "triton"]
    assert (starts(record), record.provenance.impl) == ([0, 4], "triton")


def test_a_process_that_makes_no_update_leaves_no_environment(
    project: Project, stopped: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the last update: its record still names the kernels that ran."""
    stopped(12)
    elsewhere(monkeypatch)
    record = run(project)
    assert starts(record) == [0]
    assert record.provenance.impl == "reference"


def test_a_checkpoint_from_before_environments_is_used(
    project: Project, stopped: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(4)
    (path,) = project.folder.glob("seed_0/checkpoints/*/*.safetensors")
    spoil(path, lambda _, state: state.pop("environments"))
    assert starts(run(project)) == [4]
    captured = capsys.readouterr()
    assert "resuming after update 4" in captured.out
    assert captured.err == ""
