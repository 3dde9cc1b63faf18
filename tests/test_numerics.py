from typing import get_args

from ganbench.numerics import NUMERICS, VERSION_1_CODE, version_of
from ganbench.provenance import STAGES, code_digest
from ganbench.records import Stage


def test_every_stage_that_writes_records_has_a_version() -> None:
    assert NUMERICS.keys() == set(get_args(Stage))
    assert NUMERICS.keys() <= STAGES.keys()


def test_a_record_that_says_its_version_is_believed() -> None:
    known = min(VERSION_1_CODE)
    assert version_of(known, None) == 1
    assert version_of(known, 2) == 2
    assert version_of("f" * 64, None) is None
    assert all(len(digest) == 64 for digest in VERSION_1_CODE)


def test_code_of_today_needs_no_entry() -> None:
    assert code_digest("train") not in VERSION_1_CODE
