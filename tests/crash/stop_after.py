"""The command line in a process that sends itself a signal after a checkpoint.

`python stop_after.py SIGNAL UPDATE ARGUMENT...` runs `ganbench ARGUMENT...`. The signal comes right
after the checkpoint of that update, so that no test has to watch from outside and be quick enough.
"""

import os
import sys

from ganbench import __main__ as command_line
from ganbench.stages import train as stage
from ganbench.training.checkpoints import Checkpoints

SIGNAL, UPDATE = int(sys.argv[1]), int(sys.argv[2])
plain = Checkpoints.save


def save(self: Checkpoints, number: int, tensors: dict, state: dict) -> None:
    plain(self, number, tensors, state)
    if number == UPDATE:
        os.kill(os.getpid(), SIGNAL)


Checkpoints.save = save
# A checkpoint after each update, however long the one before took.
stage.CHECKPOINT_SHARE = float("inf")
sys.argv[1:] = sys.argv[3:]
command_line.main()
