"""Counts that machine noise cannot change: FLOPs, allocated bytes, kernel launches and waits."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ganbench.training.fused.dense_passes import ONEDNN_LINEAR

LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernelExC", "cudaGraphLaunch")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")

Call = Callable[[], object]


class Memory(NamedTuple):
    """Bytes of a call on the CPU: all that was asked for, and what is still held after it."""

    allocated: int
    kept: int


def matrix_flops(call: Call) -> int:
    """Returns the FLOPs of the matrix products and convolutions of a call."""
    # A product that adds to the momentum in place, and oneDNN's: torch's counter knows neither.
    known: dict[Any, Any] = {torch.ops.aten.addmm_: _addmm_flops}
    if ONEDNN_LINEAR is not None:
        known[ONEDNN_LINEAR] = _linear_flops
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        call()
    return counter.get_total_flops()


def _addmm_flops(_: torch.Size, left: torch.Size, right: torch.Size, **_settings: Any) -> int:
    return 2 * left[0] * left[1] * right[1]


def _linear_flops(x: torch.Size, weight: torch.Size, *_: Any, **_settings: Any) -> int:
    return 2 * x[0] * weight[1] * weight[0]


def memory(call: Call, before: Call | None = None) -> Memory:
    """Returns what a call asks of the CPU's allocator.

    Args:
        call: is counted.
        before: runs first, by default the call itself: the allocator knows how large a block is
            that it takes back only if it was watched when it gave it out.
    """
    _allocator_changes(before or call)
    changes = _allocator_changes(call)
    return Memory(sum(change for change in changes if change > 0), sum(changes))


def _allocator_changes(call: Call) -> list[int]:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    # torch's type stubs know of no `nbytes`.
    profiler: Any = seen.profiler
    events: list[Any] = profiler.kineto_results.events()
    return [
        event.nbytes()
        for event in events
        if event.name() == "[memory]" and event.device_type() == DeviceType.CPU
    ]


def launches_and_waits(call: Call) -> tuple[int, int]:
    """Returns how often a call launches work on the GPU, and how often the host waits for it."""
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities) as seen:
        call()
    counted = Counter({event.key: event.count for event in seen.key_averages()})
    return sum(counted[name] for name in LAUNCHES), sum(counted[name] for name in WAITS)
