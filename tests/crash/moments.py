"""The moments of a run at which a test may stop it: each change of a file, and each update.

Python announces every change of a file before it makes it (`sys.addaudithook`), so that a run can
be stopped between any two of them without a word in the code under test.
"""

import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

from ganbench.training.loop import Run
from ganbench.training.progress import Progress

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"}
HALF, UPDATE = "half", "update"
ROOM = 100  # bytes that a file may have on a full disk
WRITES = os.O_WRONLY | os.O_RDWR


class Moments:
    """Counts the moments of this process, and stops it, or fills its disk, at one of them.

    Args:
        folder: whose files count.
        at: a moment's name or number from 1; "" or 0 for none.
        how: the signal; None for a disk that is full from then on.
    """

    def __init__(self, folder: str, at: str | int, how: int | None) -> None:
        self.folder, self.at, self.how = folder, at, how
        self.names: list[str] = []

    def watch(self) -> None:
        """Counts from now on; what is watched cannot be undone in this process."""
        Path.write_bytes, Path.write_text = _write_bytes, _write_text
        plain = Progress.update

        def update(self: Progress, run: Run) -> None:
            plain(self, run)
            sys.audit(UPDATE, run.counters.updates)

        Progress.update = update
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        name = self._name(event, arguments)
        if name is None:
            return
        self.names.append(name)
        if self.at in (name, len(self.names)):
            self.at = 0
            if self.how is None:
                # What a full disk does, also to a superuser.
                resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
            else:
                os.kill(os.getpid(), self.how)

    def _name(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event == UPDATE:
            return f"{event} {arguments[0]}"
        if event == "open" and not arguments[2] & WRITES:
            return None
        if event not in (*CHANGES, HALF, "open"):
            return None
        path = os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""
        # `shutil.rmtree` names what it deletes by the folder that it has open.
        below = event in ("os.remove", "os.rmdir") and not os.path.isabs(path)
        if not below and not path.startswith(self.folder):
            return None
        return f"{event} {re.sub('[0-9]+.tmp$', 'tmp', os.path.basename(path))}"


def _write_bytes(self: Path, data: bytes) -> int:
    """In two halves, with a moment between them."""
    with open(self, "wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        sys.audit(HALF, str(self))
        return file.write(data[len(data) // 2 :])


def _write_text(self: Path, data: str, encoding: str) -> int:
    return _write_bytes(self, data.encode(encoding))
