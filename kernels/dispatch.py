"""Which implementation runs: asked for, or chosen from what was measured on this kind of GPU."""

import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

Impl = Literal["auto", "reference", "triton"]
TUNED = Path(__file__).with_name("tuned")
ARCHITECTURES = ("sm_80", "sm_90", "sm_100", "sm_120", "gfx942")
NVIDIA = (12, "sm_120"), (10, "sm_100"), (9, "sm_90"), (8, "sm_80")  # from which major capability
TRITON_DTYPES = (torch.float32, torch.bfloat16)

_choices: dict[str, set[str]] = {}
_default: Impl = "auto"


def set_default(impl: Impl) -> None:
    """Sets what calls without an `impl` of their own take in this process."""
    global _default
    _default = impl


def choose(op: str, impl: Impl, tensor: Tensor, size: int) -> str:
    """Returns the implementation that a call takes, and records it for `choices`.

    Args:
        op: the public op's name.
        impl: what the caller asked for; "auto" takes what the tuned table found fastest on this
            architecture at this size, and the reference where nothing was measured.
        tensor: an input whose device and dtype decide.
        size: the work of the call, in the unit of the op's tuned table.

    Raises:
        ValueError: "triton" was asked for and cannot run on this tensor.
    """
    # What a call asks for wins over the process's default, and that over the tuned table.
    impl = _default if impl == "auto" else impl
    chosen = next(
        name
        for up_to, name in _candidates(op, impl, tensor.device, tensor.dtype)
        if up_to is None or size <= up_to
    )
    record_choice(op, chosen)
    return chosen


# Searching for packages and reading tables are nothing that the compiler can trace.
@torch.compiler.assume_constant_result
def _candidates(
    op: str, impl: Impl, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[int | None, str], ...]:
    """Returns implementations, each with the largest size that it is for; None is any."""
    if impl == "triton":
        _require_triton(op, device, dtype)
        return ((None, "triton"),)
    if impl == "auto" and _triton_fits(device, dtype):
        return _measured(op, device, dtype)
    if impl in ("auto", "reference"):
        return ((None, "reference"),)
    raise ValueError(
        f"{op}: impl: unknown implementation, got {impl!r}; choose auto, reference or triton"
    )


def record_choice(op: str, chosen: str) -> None:
    """Notes an implementation for `choices`."""
    _choices.setdefault(op, set()).add(chosen)


def choices() -> dict[str, str]:
    """Returns, for each op that this process called, the implementations that ran."""
    return {op: ", ".join(sorted(chosen)) for op, chosen in sorted(_choices.items())}


def has_triton() -> bool:
    """Returns whether the triton package is installed."""
    return importlib.util.find_spec("triton") is not None


@cache
def can_compile() -> bool:
    """Returns whether torch.compile can build for this CPU: a compiler and Python's headers."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    header = Path(sysconfig.get_path("include"), "Python.h")
    return sys.platform == "linux" and compiler is not None and header.exists()


def interpreting() -> bool:
    """Returns whether Triton's interpreter runs the kernels (TRITON_INTERPRET=1)."""
    if not has_triton():
        return False
    from triton import knobs

    return knobs.runtime.interpret


def kernel_config(kernel: str, variant: str, device: torch.device) -> dict[str, Any]:
    """Returns block sizes and compiler options of a kernel on a device's architecture.

    Args:
        kernel: the Triton function's name.
        variant: the kind of arithmetic, for instance "float32", "tf32" or "bfloat16".
        device: where it will run; the interpreter takes the settings of sm_90.
    """
    return dict(settings_of(architecture(device))[kernel][variant])


@cache
def settings_of(arch: str) -> dict[str, dict[str, Any]]:
    """Returns the settings that ship for an architecture, by kernel and variant."""
    return merged(defaults_of(arch), tuned_table(arch)["configs"])


def defaults_of(arch: str) -> dict[str, dict[str, Any]]:
    """Returns what an architecture's tuned table changes: the specs', or those of another table."""
    # The specs hold the public ops, which import this module.
    from ganbench_kernels.spec import specs

    base = tuned_table(arch)["extends"]
    if base:
        return settings_of(base)
    return {name: dict(table) for spec in specs().values() for name, table in spec.settings.items()}


def merged(
    settings: dict[str, dict[str, Any]], changes: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Returns settings by kernel and variant with another table's entries in their places."""
    names = settings.keys() | changes.keys()
    return {name: settings.get(name, {}) | changes.get(name, {}) for name in sorted(names)}


@cache
def tuned_table(arch: str) -> dict[str, Any]:
    """Returns what was tuned for an architecture: only settings that differ from its defaults.

    `extends` names the architecture whose settings are the defaults; null means the specs'.

    Raises:
        ValueError: the file is damaged.
    """
    path = TUNED / f"{arch}.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        table = problem
    if not isinstance(table, dict) or not {"extends", "configs", "auto"} <= table.keys():
        raise ValueError(
            f"{path}: is no table of tuned settings, got {table!r:.60}; install ganbench again"
        )
    return table


@cache
def architecture(device: torch.device) -> str:
    """Returns the architecture in `ARCHITECTURES` whose settings a device takes.

    Raises:
        ValueError: there are none for this GPU.
    """
    if device.type == "cpu":
        return "sm_90"
    if torch.version.hip:
        return "gfx942"
    # A GPU between two architectures takes the settings of the older one.
    major = torch.cuda.get_device_capability(device)[0]
    if major < 8:
        name = torch.cuda.get_device_name(device)
        raise ValueError(
            f"kernels: device: no settings for this GPU, got {name}; "
            "use impl='reference', or a GPU of compute capability 8.0 or newer"
        )
    return next(name for first, name in NVIDIA if major >= first)


def dtype_name(dtype: torch.dtype) -> str:
    """Returns the key of a dtype in the tuned tables."""
    return str(dtype).removeprefix("torch.")


def dot_precision(dtype: torch.dtype) -> str:
    """Returns how matrix products of a dtype may be rounded, as torch's own setting says."""
    if dtype != torch.float32:
        return dtype_name(dtype)
    # Where torch has the newer setting, its older getter raises once somebody has used that.
    setting = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
    if setting is None:
        setting = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    return "tf32" if setting == "tf32" else "float32"


def _require_triton(op: str, device: torch.device, dtype: torch.dtype) -> None:
    if not has_triton():
        raise ValueError(
            f"{op}: impl: the triton package is not installed, got 'triton'; "
            "install ganbench[triton] or use impl='reference'"
        )
    if device.type != "cuda" and not interpreting():
        raise ValueError(
            f"{op}: impl: 'triton' needs tensors on a GPU, got one on {device}; "
            "move them or use impl='reference'"
        )
    if dtype not in TRITON_DTYPES:
        raise ValueError(
            f"{op}: impl: 'triton' takes float32 and bfloat16, got {dtype_name(dtype)}; "
            "convert or use impl='reference'"
        )


def _triton_fits(device: torch.device, dtype: torch.dtype) -> bool:
    if device.type != "cuda" or dtype not in TRITON_DTYPES or not has_triton():
        return False
    return bool(torch.version.hip) or torch.cuda.get_device_capability(device)[0] >= 8


def _measured(
    op: str, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[int | None, str], ...]:
    """Triton, unless a table measured on this architecture says that torch wins at a size."""
    rows = tuned_table(architecture(device))["auto"].get(op, {}).get(dtype_name(dtype), [])
    return (*((row["up_to"], row["impl"]) for row in rows), (None, "triton"))
