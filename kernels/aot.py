"""Compiles every kernel at every shipped setting for absent GPUs, and checks its budget.

A kernel that spills registers, outgrows shared memory or takes more than its committed budget fails
before anyone runs it. Needs triton, no GPU, and TRITON_INTERPRET unset.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from ganbench_kernels.dispatch import ARCHITECTURES, settings_of
from ganbench_kernels.spec import POINTERS, Build, specs

BUDGETS = Path(__file__).parent / "aot_budgets.json"
TARGETS = {
    "sm_80": GPUTarget("cuda", 80, 32),
    "sm_90": GPUTarget("cuda", 90, 32),
    "sm_100": GPUTarget("cuda", 100, 32),
    "sm_120": GPUTarget("cuda", 120, 32),
    "gfx942": GPUTarget("hip", "gfx942", 64),
}
# The compiler does not check what a program may take of a processor's shared memory, bytes.
SHARED_LIMITS = {
    "sm_80": 166_912,
    "sm_90": 232_448,
    "sm_100": 232_448,
    "sm_120": 101_376,
    "gfx942": 65_536,
}
REGISTER_UNIT = 8
# What the name of an argument says of its type, unless a build says otherwise: other pointers have
# the type of the build's variant, other arguments are whole numbers.
TYPES = {
    "which_ptr": "*u8",
    "seed_ptr": "*i64",
    "offset_ptr": "*i64",
    "sums_ptr": "*fp32",
    "losses_ptr": "*fp32",
    "scale": "fp32",
    "grad_scale": "fp32",
    "max_norm": "fp32",
}
# A size of 1 is a constant to a launch, which compiles the kernel anew for it. Of a hundred tried
# on sm_90 these took the most beside the same kernel at other sizes; the last two are usual.
ONES = {
    "input_gradient_kernel/tf32/tf32": "U",
    "linear_fwd_kernel/tf32/tf32": "U",
    "maxout_bwd_input_kernel/float32/odd": "P",
    "maxout_bwd_weight_kernel/bfloat16/odd": "P",
    "parzen_kernel/float32": "M",
    "weight_update_kernel/float32_pieces/float32": "N",
}


class Resources(NamedTuple):
    """What one program of a compiled kernel takes."""

    registers: int  # of one thread
    spills: int  # bytes of one thread (registers on AMD)
    shared: int  # bytes of shared memory


def builds() -> Iterator[Build]:
    """Yields every kernel, precision, form and alignment that a launch can ask for."""
    for spec in specs().values():
        for build in spec.builds():
            yield build
            if build.name in ONES:
                yield build._replace(one=ONES[build.name])


def compile_build(build: Build, arch: str, settings: dict[str, Any] | None = None) -> Resources:
    """Compiles a build and returns what it takes; arguments as for `compiled`."""
    kernel = compiled(build, arch, settings)
    read = _amd_resources if arch.startswith("gfx") else _nvidia_resources
    registers, spills = read(kernel.asm, arch)
    return Resources(registers, spills, kernel.metadata.shared)


def compiled(build: Build, arch: str, settings: dict[str, Any] | None = None) -> Any:
    """Returns what Triton makes of a build for an architecture.

    Args:
        build: from `builds`.
        arch: a key of `TARGETS`.
        settings: block sizes and compiler options; the shipped ones if absent.
    """
    chosen = settings or settings_of(arch)[build.kernel.__name__][build.variant]
    options = {key: value for key, value in chosen.items() if key.islower()}
    blocks = {key: value for key, value in chosen.items() if key.isupper()}
    ones = {build.one: 1} if build.one else {}
    # The default of enable_fp_fusion differs between versions of Triton.
    return triton.compile(
        _source(build, {**build.constants, **blocks, **ones}),
        target=TARGETS[arch],
        options=options | {"enable_fp_fusion": True},
    )


def _source(build: Build, constants: dict[str, Any]) -> ASTSource:
    """Types and alignment of every argument, as the launch's own compiler would infer them."""
    signature, attributes = {}, {}
    for i, name in enumerate(build.kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
            continue
        signature[name] = _argument_type(build, name)
        # A launch tells the compiler which sizes divide by 16: it vectorises loads by that.
        divides = (
            signature[name] == "i32"
            and (build.aligned or name in build.always_aligned)
            and not build.kernel.params[i].do_not_specialize
        )
        if signature[name].startswith("*") or divides:
            attributes[(i,)] = [["tt.divisibility", 16]]
    return ASTSource(build.kernel, signature, constants, attributes)


def _argument_type(build: Build, name: str) -> str:
    known = {**TYPES, **build.types}
    return known.get(name) or (POINTERS[build.variant] if name.endswith("_ptr") else "i32")


def _nvidia_resources(asm: dict[str, Any], arch: str) -> tuple[int, int]:
    capability = int(arch.removeprefix("sm_"))
    # Triton compiles for the architecture-specific instruction set from Hopper on.
    gpu = f"{arch}a" if capability >= 90 else arch
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(asm["ptx"])
        file.flush()
        command = [get_ptxas(capability).path, "-v", f"--gpu-name={gpu}", file.name]
        result = subprocess.run(
            [*command, "-o", "/dev/null"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
    spills = sum(int(n) for n in re.findall(r"(\d+) bytes spill", result.stderr))
    return _number(r"Used (\d+) registers", result.stderr), spills


def _amd_resources(asm: dict[str, Any], arch: str) -> tuple[int, int]:
    del arch
    text = asm["amdgcn"]
    spills = _number(r"\.vgpr_spill_count:\s+(\d+)", text)
    private = _number(r"\.private_segment_fixed_size:\s+(\d+)", text)
    return _number(r"\.vgpr_count:\s+(\d+)", text), max(spills, private)


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    assert match, f"the assembler's report has no {pattern}"
    return int(match[1])


def measure(archs: tuple[str, ...] = ARCHITECTURES, workers: int = 2) -> dict[str, dict[str, Any]]:
    """Compiles everything, and returns resources by architecture and build name."""
    jobs = [(index, arch) for arch in archs for index in range(len(list(builds())))]
    # Spawned: a fork would copy the locks of torch's threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        measured = list(pool.map(_measure_one, jobs, chunksize=4))
    table: dict[str, dict[str, Any]] = {arch: {} for arch in archs}
    for (_, arch), (name, resources) in zip(jobs, measured, strict=True):
        table[arch][name] = resources._asdict()
    return table


def _measure_one(job: tuple[int, str]) -> tuple[str, Resources]:
    index, arch = job
    build = list(builds())[index]
    return build.name, compile_build(build, arch)


def read_budgets() -> dict[str, dict[str, Any]]:
    """Returns the committed budgets of this version of Triton, by architecture and build name.

    Raises:
        ValueError: there are none for this version.
    """
    versions = json.loads(BUDGETS.read_text(encoding="utf-8"))
    if triton.__version__ not in versions:
        raise ValueError(
            f"{BUDGETS.name}: should have triton {' or '.join(versions)}, got "
            f"{triton.__version__}; install one of them or run 'ganbench bench aot --write'"
        )
    return versions[triton.__version__]


def write_budgets(table: dict[str, dict[str, Any]]) -> None:
    """Makes what was measured this version's budget, registers rounded up to what a GPU gives."""
    table = {
        arch: {
            name: resources
            | {"registers": -(-resources["registers"] // REGISTER_UNIT) * REGISTER_UNIT}
            for name, resources in sorted(rows.items())
        }
        for arch, rows in table.items()
    }
    versions = json.loads(BUDGETS.read_text(encoding="utf-8")) | {triton.__version__: table}
    text = json.dumps(dict(sorted(versions.items())), indent=1)
    # One line for each build: the file is read in diffs.
    text = re.sub(r"\{\s+(\"registers\"[^}]+?)\s+\}", lambda m: _one_line(m[1]), text)
    BUDGETS.write_text(text + "\n", encoding="utf-8")


def _one_line(fields: str) -> str:
    return "{" + " ".join(fields.split()) + "}"


def problems(measured: dict[str, dict[str, Any]], budgets: dict[str, dict[str, Any]]) -> list[str]:
    """Returns one line for each build that spills, does not fit or is over its budget."""
    lines = []
    for arch, table in measured.items():
        expected = budgets.get(arch, {})
        # A kernel without a budget, and a budget without a kernel, are errors too.
        for name in sorted(expected.keys() ^ table.keys()):
            lines.append(f"{arch} {name}: measured and budgeted builds differ; rewrite the budgets")
        for name in sorted(expected.keys() & table.keys()):
            lines += [f"{arch} {name}: {line}" for line in _over(arch, table[name], expected[name])]
    return lines


def _over(arch: str, resources: dict[str, int], budget: dict[str, int]) -> Iterator[str]:
    if resources["spills"]:
        yield f"spills {resources['spills']}; none are allowed: take smaller blocks or more warps"
    if resources["shared"] > SHARED_LIMITS[arch]:
        yield f"shared memory {resources['shared']} bytes; {SHARED_LIMITS[arch]} are there"
    for field in ("registers", "shared"):
        if resources[field] > budget[field]:
            yield f"{field} {resources[field]}; the budget is {budget[field]}"
