"""Runs of the command line that are stopped at exact moments, and a tiny experiment for them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parents[1]
DIGITS = TESTS.parent / "configs" / "experiments" / "digits.yaml"
# Twelve updates: two phases of two epochs of three. The third epoch's generator is reported too.
SETTINGS = {
    "extends": str(DIGITS),
    "title": "tiny",
    "generator": {
        "layers": [
            {"kind": "linear", "units": 9, "activation": "relu", "irange": 0.2},
            {"kind": "linear", "units": 64, "activation": "sigmoid", "irange": 2.0},
        ]
    },
    "discriminator": {
        "layers": [
            {"kind": "maxout", "units": 8, "pieces": 2, "irange": 0.05},
            {"kind": "linear", "units": 1, "irange": 0.05},
        ]
    },
    "training": {
        "batch_size": 500,
        "phases": [
            {"epochs": 2},
            {"epochs": 2, "generator_front": [{"kind": "linear", "units": 100, "irange": 0.1}]},
        ],
    },
    "evaluation": {"monitor_every": 1000, "draws": 1, "report_epochs": [3]},
}


@dataclass(frozen=True)
class Ended:
    """A run that ended.

    Attributes:
        code: its exit code, or minus the signal that killed it.
        out: what it printed.
        err: its messages.
        moments: the names of all its moments; none if it was killed.
    """

    code: int
    out: str
    err: str
    moments: list[str]


class Runs:
    """Runs of the command line in processes of their own."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", "crash.server"],
            cwd=TESTS,
            env=os.environ | {"OMP_NUM_THREADS": "1", "GANBENCH_DEVICE": "cpu"},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _ask(self, **request: object) -> Any:
        assert self.server.stdin
        assert self.server.stdout
        print(json.dumps(request), file=self.server.stdin, flush=True)
        return json.loads(self.server.stdout.readline())

    def start(
        self,
        folder: Path,
        *arguments: object,
        at: str | int = 0,
        how: signal.Signals | None = signal.SIGKILL,
    ) -> int:
        """Starts a run and returns its process id.

        Args:
            folder: where it writes.
            arguments: of the command line.
            at: name or number of the moment of the signal.
            how: the signal; None for a disk that is full from then on.
        """
        return self._ask(
            verb="start",
            folder=str(folder),
            arguments=[str(one) for one in arguments],
            at=at,
            how=how and int(how),
        )

    def end(self, child: int) -> Ended | None:
        """Waits until a run has ended, or is stopped: None."""
        reply = self._ask(verb="wait", child=child)
        if reply["code"] is None:
            return None
        moments = json.loads(reply["moments"] or "[]")
        return Ended(reply["code"], reply["out"], reply["err"], moments)

    def go_on(self, child: int) -> None:
        """Lets a stopped run continue."""
        self._ask(verb="continue", child=child)

    def run(self, folder: Path, *arguments: object, **options: Any) -> Ended:
        """Starts a run and waits for its end."""
        ended = self.end(self.start(folder, *arguments, **options))
        assert ended is not None
        return ended

    def close(self) -> None:
        """Ends the server."""
        self.server.communicate()


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    started = Runs()
    yield started
    started.close()


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the experiment."""
    path = tmp_path_factory.mktemp("experiment") / "tiny.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
