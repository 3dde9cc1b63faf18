"""Checkpoints: what is kept, what is refused, and what a full disk leaves behind."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256
from ganbench.training.checkpoints import Checkpoints

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "run" / "checkpoints", DIGEST)


def tensors(number: int, size: int = 3) -> dict[str, Tensor]:
    return {
        "weight": torch.full((size,), number / 3),
        "sums": torch.full((2,), number / 3, dtype=torch.float64),
        "noise": torch.Generator().manual_seed(number).get_state(),
        "empty": torch.zeros(0),
    }


def save(checkpoints: Checkpoints, *numbers: int) -> None:
    for number in numbers:
        checkpoints.save(number, tensors(number), {"updates": number, "best": None, "x": 0.1})


def files(checkpoints: Checkpoints) -> list[Path]:
    return sorted(checkpoints.folder.iterdir())


def loaded_number(checkpoints: Checkpoints) -> int:
    actual = checkpoints.load_newest()
    assert actual is not None
    for name, value in tensors(actual[1]["updates"]).items():
        assert torch.equal(actual[0][name], value)
        assert actual[0][name].dtype == value.dtype
    return actual[1]["updates"]


def damage(path: Path) -> None:
    """Flips one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_is_saved_comes_back(checkpoints: Checkpoints) -> None:
    assert checkpoints.load_newest() is None
    save(checkpoints, 5)
    assert loaded_number(checkpoints) == 5
    actual = checkpoints.load_newest()
    assert actual is not None
    assert actual[1] == {"updates": 5, "best": None, "x": 0.1}


def test_the_newest_two_are_kept(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1, 9, 10, 100)
    assert [path.name[:9] for path in files(checkpoints)] == ["000000010", "000000100"]
    assert loaded_number(checkpoints) == 100


def test_other_files_beside_them_stay(checkpoints: Checkpoints) -> None:
    """Such as the generators of reported epochs, which a resumed run does not write again."""
    checkpoints.folder.mkdir(parents=True)
    (checkpoints.folder / "generator_epoch_3.safetensors").write_bytes(b"weights")
    save(checkpoints, 1, 2, 3)
    assert [path.name[:9] for path in files(checkpoints)] == ["000000002", "000000003", "generator"]


def test_a_damaged_one_is_named_and_its_predecessor_used(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    save(checkpoints, 1, 2)
    newest = files(checkpoints)[-1]
    damage(newest)
    assert loaded_number(checkpoints) == 1
    expected = f"{newest}: is damaged (sha256 differs); using the one before\n"
    assert capsys.readouterr().err == expected


def test_without_a_sound_one_the_run_does_not_silently_start_anew(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    save(checkpoints, 1, 2)
    for path in files(checkpoints):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(GanbenchError, match="none of its 2 checkpoints can be used; give --restar"):
        checkpoints.load_newest()
    assert capsys.readouterr().err.count("is damaged") == 2


def put(checkpoints: Checkpoints, number: int, content: dict[str, Tensor], metadata) -> Path:
    """Writes a checkpoint whose checksum is right."""
    path = checkpoints.folder / "new"
    save_file(content, path, metadata)
    return path.rename(checkpoints.folder / f"{number:09d}-{file_sha256(path)[:16]}.safetensors")


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (None, "has no digest or state"),
        ({"state": "{}"}, "has no digest or state"),
        ({"digest": DIGEST}, "has no digest or state"),
        ({"digest": DIGEST, "state": "{"}, "is not valid JSON"),
        ({"digest": DIGEST, "state": "[]"}, "its state is no mapping"),
        ({"digest": DIGEST, "state": '{"a": 1, "a": 2}'}, "is not valid JSON (key 'a' is given"),
    ],
)
def test_one_that_says_too_little_is_passed_over(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str], metadata, problem: str
) -> None:
    save(checkpoints, 1)
    path = put(checkpoints, 2, tensors(2), metadata)
    assert loaded_number(checkpoints) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{path}: {problem}")
    assert error.endswith("; using the one before\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "device"])
def test_what_is_no_file_is_passed_over(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    save(checkpoints, 1)
    path = checkpoints.folder / "000000002-0123456789abcdef.safetensors"
    make = {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path),
        "device": lambda: path.symlink_to("/dev/zero"),
    }
    make[kind]()
    assert loaded_number(checkpoints) == 1
    assert capsys.readouterr().err.startswith(f"{path}: cannot be read (")


def test_one_that_fails_a_check_is_passed_over(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    save(checkpoints, 1, 2)

    def check(state) -> str | None:
        return "is of no use" if state[1]["updates"] == 2 else None

    actual = checkpoints.load_newest(check)
    assert actual is not None
    assert actual[1]["updates"] == 1
    assert ": is of no use; using the one before\n" in capsys.readouterr().err


def test_another_runs_checkpoint_is_refused(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1)
    other = Checkpoints(checkpoints.folder, "f" * 64)
    with pytest.raises(GanbenchError) as error:
        other.load_newest()
    assert str(error.value) == (
        f"{files(checkpoints)[0]}: belongs to other settings, code or seed "
        f"({DIGEST[:12]}, expected {'f' * 12}); move it away to start anew"
    )


def test_half_written_files_are_passed_over_and_removed_at_the_end(
    checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    save(checkpoints, 1)
    # What SIGKILL leaves: before the file is whole, and before it has its checksum's name.
    (checkpoints.folder / ".000000002.safetensors.77.tmp").write_bytes(b"half")
    (checkpoints.folder / "000000002.safetensors").write_bytes(b"half")
    assert loaded_number(checkpoints) == 1
    save(checkpoints, 3)
    assert loaded_number(checkpoints) == 3
    assert capsys.readouterr().err == ""
    checkpoints.remove()
    assert not checkpoints.folder.exists()
    checkpoints.remove()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 20,000 bytes: what a full disk does, also to a superuser."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoints(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1, 2)
    before = files(checkpoints)
    with pytest.raises(GanbenchError) as error:
        checkpoints.save(3, tensors(3, size=100_000), {"updates": 3})
    message = str(error.value)
    assert message.startswith(f"{checkpoints.folder / '000000003-'}")
    assert ": cannot be written (" in message
    assert message.endswith("; free some space or choose another folder")
    assert "\n" not in message
    assert files(checkpoints) == before
    assert loaded_number(checkpoints) == 2


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the folder's place")
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints", DIGEST)
    with pytest.raises(GanbenchError, match=r"cannot be written \(Not a directory\); free some"):
        save(checkpoints, 1)
