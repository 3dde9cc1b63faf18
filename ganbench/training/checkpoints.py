"""Checkpoints that survive a kill at any moment, a full disk and a damaged file.

One file each, written under a temporary name and renamed; the name carries the sha256 of the
content. The newest two are kept, so that a damaged one has a predecessor.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganbench.errors import GanbenchError
from ganbench.provenance import atomic_path, file_sha256

KEPT = 2


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
        target = self.folder / f"{number:09d}.safetensors"
        metadata = {"digest": self.digest, "state": json.dumps(state)}
        with atomic_path(target) as temporary:
            try:
                save_file(tensors, temporary, metadata)
            except SafetensorError as error:
                raise OSError(str(error)) from error
        target.rename(self.folder / f"{number:09d}-{file_sha256(target)[:16]}.safetensors")
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def load_newest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Returns tensors and state of the newest sound checkpoint, None if there is none.

        A damaged one is named on stderr and passed over.

        Raises:
            GanbenchError: a checkpoint belongs to other settings, code or seed.
        """
        for path in self._newest_first():
            if file_sha256(path)[:16] != path.stem.partition("-")[2]:
                print(f"{path}: is damaged (sha256 differs); using the one before", file=sys.stderr)
                continue
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata()
                if metadata["digest"] != self.digest:
                    raise GanbenchError(
                        f"{path}: belongs to other settings, code or seed "
                        f"({metadata['digest'][:12]}, expected {self.digest[:12]}); "
                        "move it away to start anew"
                    )
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, json.loads(metadata["state"])
        return None

    def remove(self) -> None:
        """Deletes the run's checkpoints, and what a killed run left of one, once it is done."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
            if not any(self.folder.parent.iterdir()):
                self.folder.parent.rmdir()

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.safetensors"), reverse=True)
