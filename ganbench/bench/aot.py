"""`ganbench bench aot`: registers, spills and shared memory of every kernel, without a GPU."""

import os

import pandas as pd

from ganbench.errors import GanbenchError
from ganbench_kernels.dispatch import has_triton, interpreting


def main(write: bool = False) -> None:
    """Compiles every kernel for every architecture and prints registers, spills and shared memory.

    Args:
        write: makes the result the committed budget.

    Raises:
        GanbenchError: triton is missing or interpreting, or a kernel is over its budget.
    """
    if not has_triton() or interpreting():
        raise GanbenchError(
            "bench aot: triton: is not installed or TRITON_INTERPRET is set; "
            "install ganbench[triton] and unset TRITON_INTERPRET"
        )
    # Imports every kernel, and so needs triton.
    from ganbench_kernels import aot

    measured = aot.measure(workers=os.cpu_count() or 1)
    print(budget_table(measured))
    if write:
        aot.write_budgets(measured)
    problems = aot.problems(measured, aot.read_budgets())
    if problems:
        raise GanbenchError(
            f"bench aot: {len(problems)} over budget, first {problems[0]}; "
            "fix the kernel or its settings, or rewrite the budgets (--write)"
        )


def budget_table(measured: dict[str, dict[str, dict[str, int]]]) -> str:
    """Returns a Markdown table: a row per build; registers, spills and shared bytes per GPU."""
    columns = {
        (arch, field): {name: budget[field] for name, budget in rows.items()}
        for arch, rows in measured.items()
        for field in ("registers", "spills", "shared")
    }
    frame = pd.DataFrame(columns)
    frame.columns = [f"{arch} {field}" for arch, field in columns]
    return frame.to_markdown()
