"""One word for one thing (docs/glossary.md): retired words stay out, a stage has one name."""

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import typer

from ganbench.__main__ import app
from ganbench.numerics import NUMERICS
from ganbench.provenance import STAGES
from ganbench.records import Stage

ROOT = Path(__file__).parents[1]
# Names and phrases that readers did not understand, and what took their place.
RETIRED = {
    r"\bCourse\b": "SeedProgress",
    r"\bTape\b": "GraphInputs",
    r"\bNOTHING_AFTER\b": "NO_FUSED_ACTIVATION",
    r"\bto_inputs\b": "input_gradient",
    r"\b_kept\b": "store_gradient",
    r"\b_judged\b": "_discriminator_input",
    r"\b_doubts\b": "_uncertainty_metrics",
    r"\bslow_to\b": "scale_learning_rate",
    r"\bspeaks\(": "judge_claim",
    r"\bunable\(": "blocking_verdict",
    r"put down anywhere": "can be checkpointed at any update",
    r"\bas ever\b": "as always",
    r"to before the activation": "backpropagates through the activation",
    r"\b(found|some)(, \w+)*(: [^=]+)? = |\bfor (found|some) in\b": "what it is",
    r"\b[Ss]eldom\b": "rare",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"machine's mood": "machine noise",
    r"than lie in\b": "than those in",
    r"\bcalibrat": "baselines",
    r"\bcontrol(s)?\b(?! character)": "baseline",
}
FOLDERS = ("ganbench", "kernels", "docs", "tests", "Snakefile", "README.md", "CONTRIBUTING.md")
# Records of before are still read, and this test names what it forbids.
EXCEPT = ("ganbench/records.py", "tests/test_words.py", "tests/test_records.py")


def sources() -> list[Path]:
    command = ["git", "ls-files", "-z", *FOLDERS]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    paths = [ROOT / name for name in names.split("\0") if name and name not in EXCEPT]
    return [path for path in paths if path.suffix not in (".json", ".png") and path.is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_retired_words_stay_out() -> None:
    lines = []
    for path in sources():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for pattern, instead in RETIRED.items():
                if re.search(pattern, line):
                    where = f"{path.relative_to(ROOT)}:{number}"
                    lines.append(f"{where}: {pattern} is retired; write {instead}")
    assert not lines, "\n".join(lines)


def test_a_stage_has_one_name_in_commands_rules_and_records() -> None:
    commands = {name.replace("-", "_") for name in typer.main.get_command(app).commands}
    text = (ROOT / "Snakefile").read_text()
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    # One for each batch of seeds.
    rules |= set(re.findall(r'batch\.rule\("(\w+)"\)', text))
    stages = set(get_args(Stage))
    assert stages <= commands
    assert stages - {"score"} <= rules  # nothing but a person scores samples of their own
    assert stages <= STAGES.keys()
    assert stages == NUMERICS.keys()


def test_the_glossary_has_every_stage() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    for stage in get_args(Stage):
        assert f"`{stage}`" in glossary or f"**{stage}**" in glossary
