import subprocess
import sys
from pathlib import Path

import pytest

from ganbench.report.outputs import outputs, shown

from .synthetic import Synthetic

ROOT = Path(__file__).parents[2]


def test_build_writes_what_outputs_names(built: Synthetic) -> None:
    written = {path.name for path in built.out.parent.iterdir()}
    # These records were never scored; the workflow's always are (test_scores.py).
    named = {name for name in outputs(built.config) if not name.startswith("scores_")}
    assert written == named


def test_what_the_html_report_shows_has_its_caption(built: Synthetic) -> None:
    entries = shown(built.config)
    assert set(entries) < set(outputs(built.config))
    for entry in entries.values():
        text = (ROOT / entry["caption"]).read_text()
        assert "{{ snakemake.rule }}" in text
    assert entries["figure2_tfd.svg"]["labels"] == {"experiment": "TFD", "shows": "samples"}


# The workflow parses `outputs` for every job, and every job of the report would wait for torch.
@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("ganbench.report.outputs", ("torch", "matplotlib", "pandas")),
        ("ganbench.report.build", ("torch",)),
        ("ganbench.report.paper", ("torch", "matplotlib")),
        ("ganbench.records", ("torch",)),
        ("ganbench.published", ("torch", "pandas")),
    ],
)
def test_imports(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*({set(unwanted)} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == ""
