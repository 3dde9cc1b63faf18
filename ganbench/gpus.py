"""Gives each of several jobs on one machine a GPU of its own; imports no torch.

Snakemake counts GPUs but says no job which one is its own, and would put all of them on the first.
"""

import fcntl
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from ganbench.errors import GanbenchError

# Set in jobs of the workflow; by hand, CUDA_VISIBLE_DEVICES is the user's own affair.
WANTED = "GANBENCH_CLAIM_GPU"
VISIBLE = "CUDA_VISIBLE_DEVICES"
ALLOCATION = "SLURM_JOB_ID"
WAIT_S = 0.5
# Open until the process ends, however it ends: the kernel then gives the lock back.
_held: list[IO[bytes]] = []


def claim_gpu() -> None:
    """Waits for a GPU that no other job of this user holds, and hides the others from CUDA.

    It must run before CUDA starts. Nothing happens outside the workflow, without GPUs, in a process
    that has claimed one, or where Slurm gave the job one GPU, which then is its own.

    Raises:
        GanbenchError: the lock files cannot be written.
    """
    devices = visible_devices()
    given_one = len(devices) == 1 and ALLOCATION in os.environ
    if _held or not os.environ.get(WANTED) or not devices or given_one:
        return
    while not any(_lock(device) for device in devices):
        time.sleep(WAIT_S)


def visible_devices() -> list[str]:
    """Returns the ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        return [part.strip() for part in given.split(",") if part.strip()]
    driver = Path("/proc/driver/nvidia/gpus")
    return [str(n) for n in range(len(list(driver.iterdir())))] if driver.is_dir() else []


def _lock(device: str) -> bool:
    # Numbers of GPUs count anew in each allocation of Slurm.
    allocation = os.environ.get(ALLOCATION, "machine")
    folder = Path(tempfile.gettempdir()) / f"ganbench-gpus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = open(folder / f"{allocation}-{device.replace('/', '_')}.lock", "wb")  # noqa: SIM115
    except OSError as error:
        raise GanbenchError(
            f"{folder}: cannot be written ({error.strerror}); set TMPDIR to a folder that can"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    os.environ[VISIBLE] = device
    return True
