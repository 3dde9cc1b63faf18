"""The version of each stage's numbers: it decides which records a table may mix.

A version rises when a change moves a stage's numbers beyond rounding, with a line in CHANGELOG.md
that says what it does to results; moving or renaming code leaves it alone. The golden trajectories
(tests/golden) fail where numbers drift and the version does not rise.
"""

from pathlib import Path

# Stage -> version.
NUMERICS = {
    "fetch": 1,
    "train": 1,
    "sample": 1,
    "evaluate": 1,
    "baselines": 1,
    "sample_metrics": 2,
    "score": 2,
    "theory": 1,
}
# Records made before there were versions name only the digest of their code. Those whose digest is
# listed have numbers of version 1; CHANGELOG.md says how that was found out.
VERSION_1_CODE = frozenset(
    Path(__file__).with_name("numerics_1.txt").read_text(encoding="utf-8").split()
)


def version_of(code_digest: str, numerics: int | None) -> int | None:
    """Returns the version of a record's numbers, None where nobody knows it.

    Args:
        code_digest: of the record.
        numerics: what the record says; None in a record older than versions.
    """
    if numerics is None and code_digest in VERSION_1_CODE:
        return 1
    return numerics
