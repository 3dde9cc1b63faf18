"""Checkpoints that survive a kill at any moment, a full disk and a damaged file.

One file each, written under a temporary name and renamed; the name carries the sha256 of the
content. The newest two are kept, so that a damaged one has a predecessor. Whoever saves or removes
holds the lock of the run's folder (`ganbench.provenance.locked_folder`).
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganbench.errors import GanbenchError
from ganbench.inputs import LARGEST_FILE, open_input, parse_json, reason
from ganbench.provenance import atomic_path, file_sha256

KEPT = 2
State = tuple[dict[str, Tensor], dict[str, Any]]
# Says what is wrong with the state of a sound file; None if nothing is.
Check = Callable[[State], str | None]


class UnusableError(GanbenchError):
    """A checkpoint is passed over."""


def read_tensors(
    path: Path, remedy: str, error: type[GanbenchError] = GanbenchError
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors and the metadata of a safetensors file, whose sizes its parser checks.

    Args:
        path: of the file.
        remedy: what its user can do; ends the message.
        error: what is raised.

    Raises:
        GanbenchError: it is missing, no regular file, or damaged.
    """
    with open_input(path, LARGEST_FILE, remedy, error):
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return tensors, file.metadata() or {}
        except (SafetensorError, ValueError, RuntimeError, MemoryError) as problem:
            raise error(f"{path}: is damaged ({reason(problem)}); {remedy}") from None


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run.

    Attributes:
        folder: where they lie; a folder of their own.
        digest: identifies the run's settings, code and seed; no other run's are accepted.
    """

    folder: Path
    digest: str

    def save(self, number: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Writes the checkpoint after update `number`, then drops all but the newest two.

        Raises:
            GanbenchError: the folder cannot be written, or the disk is full; older ones stay.
        """
        content = save(tensors, {"digest": self.digest, "state": json.dumps(state)})
        digest = hashlib.sha256(content).hexdigest()[:16]
        with atomic_path(self.folder / f"{number:09d}-{digest}.safetensors") as temporary:
            temporary.write_bytes(content)
        newest = self._newest_first()
        try:
            # Older ones, and what a killed run left of a checkpoint: all have a number in front.
            # The generators of reported epochs lie here too, and stay.
            ours = {*self.folder.glob("[0-9]*"), *self.folder.glob(".[0-9]*")}
            for old in ours - set(newest[:KEPT]):
                if not old.is_dir() or old.is_symlink():
                    old.unlink()
        except OSError as problem:
            print(
                f"{self.folder}: old files cannot be removed ({reason(problem)})", file=sys.stderr
            )

    def load_newest(self, check: Check | None = None) -> State | None:
        """Returns tensors and state of the newest sound checkpoint, None if there is none at all.

        One that cannot be used is named on stderr and passed over.

        Args:
            check: what else a state must fulfil.

        Raises:
            GanbenchError: a checkpoint belongs to other settings, code or seed, or there are
                checkpoints and none can be used.
        """
        paths = self._newest_first()
        for path in paths:
            try:
                return self._load(path, check)
            except UnusableError as problem:
                print(f"{problem}; using the one before", file=sys.stderr)
        if paths:
            raise GanbenchError(
                f"{self.folder}: none of its {len(paths)} checkpoints can be used; give --restart "
                "to train from the start, or put a sound one back"
            )
        return None

    def _load(self, path: Path, check: Check | None) -> State:
        tensors, metadata = read_tensors(path, "delete it", UnusableError)
        if file_sha256(path)[:16] != path.stem.partition("-")[2]:
            raise UnusableError(f"{path}: is damaged (sha256 differs)")
        digest = metadata.get("digest", "")
        if digest and digest != self.digest:
            raise GanbenchError(
                f"{path}: belongs to other settings, code or seed "
                f"({digest[:12]}, expected {self.digest[:12]}); move it away to start anew"
            )
        if not digest or "state" not in metadata:
            raise UnusableError(f"{path}: has no digest or state")
        # A seed that diverged beside others has rows that are not finite.
        state = parse_json(metadata["state"], str(path), "delete it", UnusableError, finite=False)
        if not isinstance(state, dict):
            raise UnusableError(f"{path}: its state is no mapping")
        problem = check((tensors, state)) if check else None
        if problem:
            raise UnusableError(f"{path}: {problem}")
        return tensors, state

    def orphans(self) -> list[Path]:
        """Returns the folders of checkpoints of other settings, numbers or data, beside ours."""
        return [path for path in sorted(self.folder.parent.glob("*")) if path != self.folder]

    def remove(self, with_orphans: bool = False) -> None:
        """Deletes the run's checkpoints, and what a killed run left of one.

        Args:
            with_orphans: delete those of other settings too, which may be an unfinished run's.

        Raises:
            GanbenchError: a file cannot be deleted.
        """
        folder = self.folder.parent if with_orphans or not self.orphans() else self.folder
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
        except OSError as problem:
            raise GanbenchError(
                f"{folder}: cannot be deleted ({reason(problem)}); delete it by hand"
            ) from None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.safetensors"), reverse=True)
