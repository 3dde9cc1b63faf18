"""One seed, many independent streams: each use of chance has a name of its own.

A stream is keyed by a hash of the seed, the name and optional indices, so that adding a stream, or
drawing more from one, leaves all the others as they were. Differs from the 2014 code: D11.
"""

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Stream = Literal["init", "data_order", "noise", "dropout", "sampling", "monitoring", "subset"]


def stream_seed(seed: int, stream: Stream, *indices: int) -> int:
    """Returns the 63-bit key of a stream of a run.

    Args:
        seed: the run's seed.
        stream: what the numbers are drawn for.
        indices: sub-streams, for instance the training phase or the epoch.
    """
    text = ":".join(map(str, (seed, stream, *indices)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, stream: Stream, *indices: int) -> "torch.Generator":
    """Returns a CPU generator at the start of a stream (arguments as in `stream_seed`)."""
    import torch

    return torch.Generator().manual_seed(stream_seed(seed, stream, *indices))
