"""Every kernel at every shipped setting compiles for five GPUs, without spills, in its budget."""

import copy
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ganbench_kernels.dispatch import ARCHITECTURES, has_triton

if TYPE_CHECKING or has_triton():
    from ganbench_kernels import aot

Table = dict[str, dict[str, Any]]
CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"


class Measured(dict):
    """Compiles everything for an architecture when it is first asked for."""

    def __missing__(self, arch: str) -> dict[str, Any]:
        self |= aot.measure((arch,), workers=os.cpu_count() or 1)
        return self[arch]


@pytest.fixture(scope="session")
def measured() -> Table:
    return Measured()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_kernel_is_within_its_budget(measured: Table, arch: str) -> None:
    budgets = aot.read_budgets()
    if arch not in budgets:
        pytest.skip(f"triton {aot.triton.__version__} has no budgets for {arch}")
    lines = aot.problems({arch: measured[arch]}, budgets)
    assert not lines, "\n".join(lines)


def test_the_pinned_triton_has_budgets_for_every_architecture() -> None:
    versions = json.loads(aot.BUDGETS.read_text(encoding="utf-8"))
    pinned = re.search(r"^triton==(\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned
    assert versions[pinned[1]].keys() == set(ARCHITECTURES)


def test_a_version_without_budgets_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aot.triton, "__version__", "2.0.0")
    with pytest.raises(
        ValueError, match=r"aot_budgets.json: should have triton 3\..*, got 2\.0\.0;"
    ):
        aot.read_budgets()


def test_every_kernel_that_ships_is_built() -> None:
    built = {build.kernel.__name__ for build in aot.builds()}
    assert built == aot.settings_of("sm_90").keys()
    variants = {(build.kernel.__name__, build.variant) for build in aot.builds()}
    for arch in ARCHITECTURES:
        configs = aot.settings_of(arch)
        assert variants == {(name, key) for name, table in configs.items() for key in table}


def test_a_deliberate_spill_fails() -> None:
    """Tiles of 128 x 128 in three TF32 products do not fit sm_80's registers."""
    build = next(build for build in aot.builds() if build.kernel.__name__ == "parzen_kernel")
    settings = aot.settings_of("sm_80")["parzen_kernel"]["float32"]
    greedy = settings | {"BLOCK_M": 128, "BLOCK_N": 128}
    actual = aot.compile_build(build, "sm_80", greedy)._asdict()
    assert actual["spills"] > 0
    generous = {"sm_80": {build.name: {key: value + 1 for key, value in actual.items()}}}
    lines = aot.problems({"sm_80": {build.name: actual}}, generous)
    assert len(lines) == 1
    assert f"{build.name}: spills {actual['spills']}; none are allowed" in lines[0]


@pytest.mark.parametrize("field", ["registers", "shared"])
def test_a_smaller_budget_fails(measured: Table, field: str) -> None:
    actual = {"sm_90": measured["sm_90"]}
    budgets = copy.deepcopy(actual)
    name = "parzen_kernel/float32"
    budgets["sm_90"][name][field] -= 1
    (line,) = aot.problems(actual, budgets)
    value = measured["sm_90"][name][field]
    assert line.startswith(f"sm_90 {name}: {field} {value}")
    assert line.endswith(f"the budget is {value - 1}")


def test_too_much_shared_memory_fails() -> None:
    big = {"gfx942": {"k": {"registers": 1, "spills": 0, "shared": 65_537}}}
    assert aot.problems(big, big) == ["gfx942 k: shared memory 65537 bytes; 65536 are there"]


def test_a_build_without_a_budget_fails(measured: Table) -> None:
    actual = {"sm_90": measured["sm_90"]}
    budgets = copy.deepcopy(actual)
    del budgets["sm_90"]["sgd_kernel/float32/odd"]
    (line,) = aot.problems(actual, budgets)
    assert "sm_90 sgd_kernel/float32/odd: measured and budgeted builds differ" in line


def test_a_number_that_is_not_specialised_is_no_constant() -> None:
    """A launch with one bandwidth runs the kernel of any number: see `parzen/kernels.py`."""
    build = next(build for build in aot.builds() if build.name == "parzen_kernel/float32")
    source = aot._source(build, {**build.constants, "PRECISION": "tf32x3"})
    k, d = (build.kernel.arg_names.index(name) for name in "KD")
    assert (k,) not in source.attrs
    assert source.attrs[d,] == [["tt.divisibility", 16]]
    assert build.kernel.params[k].do_not_specialize


def test_products_in_tf32_cut_their_factors() -> None:
    """As kernels/README.md has it; three products in TF32 need factors that are rounded."""
    rounds = {}
    for name in ("maxout_fwd_kernel/tf32/plain", "parzen_kernel/float32"):
        build = next(build for build in aot.builds() if build.name == name)
        rounds[build.variant] = "cvt.rna.tf32" in aot.compiled(build, "sm_90").asm["ptx"]
    assert rounds == {"tf32": False, "float32": True}
