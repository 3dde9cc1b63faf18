"""Forks runs of the command line from a process that has loaded torch, which takes seconds.

`python server.py` answers each line of JSON on its standard input with one: `start` a run, which
gives its process id; `wait` until it ends or stops; let it `continue`.
"""

import json
import os
import signal
import sys
import traceback
from dataclasses import replace
from typing import Any

# What a run would import, and what is changed below.
import ganbench.report.build
import ganbench.stages.evaluate
import ganbench.stages.sample  # noqa: F401
from ganbench.__main__ import main
from ganbench.checkout import git_state
from ganbench.data import digits
from ganbench.evaluation import parzen
from ganbench.provenance import code_digest
from ganbench.stages import train

from .moments import Moments

SAMPLES = 400
STREAMS = ("out", "err", "moments")
pipes: dict[int, dict[str, int]] = {}


def start(request: dict[str, Any]) -> int:
    """Returns the process id of a run."""
    # A pipe holds all that such a run prints.
    ends = {name: os.pipe() for name in STREAMS}
    child = os.fork()
    if child == 0:
        _run(request, {name: end[1] for name, end in ends.items()})
    for _, end in ends.values():
        os.close(end)
    pipes[child] = {name: end[0] for name, end in ends.items()}
    return child


def _run(request: dict[str, Any], ends: dict[str, int]) -> None:
    sys.stdout = open(ends["out"], "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(ends["err"], "w", encoding="utf-8")  # noqa: SIM115
    moments = Moments(request["folder"], request["at"], request["how"])
    moments.watch()
    sys.argv = ["ganbench", *request["arguments"]]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os.write(ends["moments"], json.dumps(moments.names).encode())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(child: int) -> dict[str, Any]:
    """Returns the exit code and what was printed; of a run that stopped, that it did."""
    _, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"code": None}
    texts = {}
    for name, end in pipes.pop(child).items():
        with open(end, encoding="utf-8") as file:
            texts[name] = file.read()
    return {"code": os.waitstatus_to_exitcode(status), **texts}


def answer(request: dict[str, Any]) -> Any:
    """Does what is asked for."""
    if request["verb"] == "start":
        return start(request)
    if request["verb"] == "continue":
        return os.kill(request["child"], signal.SIGCONT)
    return wait(request["child"])


if __name__ == "__main__":
    # A checkpoint after each update and a history after each epoch, however slow the machine is.
    train.CHECKPOINT_SHARE, train.HISTORY_SECONDS = float("inf"), 0.0
    parzen.PROTOCOLS["gan2014"] = replace(parzen.GAN2014, samples=SAMPLES)
    # What is kept after the first use.
    for stage in ("train", "sample", "evaluate"):
        code_digest(stage)
    git_state()
    digits.load()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
    # Without taking torch down in good order, which takes long.
    os._exit(0)
