"""Merging on copies of a published suite, whose records were made in three places."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ganbench.errors import GanbenchError
from ganbench.provenance import file_sha256
from ganbench.report.collect import collect
from ganbench.stages.merge import STAGES, merge

ROOT = Path(__file__).parents[2]
NAME = "mnist_full_length"
PUBLISHED = ROOT / "results" / "published" / NAME


class Machines:
    """Two machines: ours has seed 0 and what all seeds share, the other has seed 1."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.other = folder / "ours", folder / "other"
        for machine, seed in ((self.ours, 0), (self.other, 1)):
            shutil.copytree(PUBLISHED / NAME / f"seed_{seed}", machine / NAME / f"seed_{seed}")
        shutil.copytree(PUBLISHED / "data", self.ours / "data")
        shutil.copy(PUBLISHED / NAME / "baselines.json", self.ours / NAME)
        self.suite = folder / "suite.yaml"
        self.write([0, 1])

    def write(self, seeds: list[int]) -> None:
        config = str(ROOT / "configs" / "experiments" / f"{NAME}.yaml")
        entry = {"config": config, "seeds": seeds}
        content = {"name": NAME, "title": "T", "experiments": [entry]}
        self.suite.write_text(json.dumps(content))

    def path(self, stage: str) -> Path:
        return self.other / NAME / "seed_1" / f"{stage}.json"

    def edit(self, stage: str, **changes: Any) -> None:
        """Changes a record of the other machine's, and the digests of it that later ones name."""
        record = json.loads(self.path(stage).read_text())
        for key, value in changes.items():
            record[key] = record[key] | value if isinstance(value, dict) else value
        self.path(stage).write_text(json.dumps(record))
        for before, after in itertools.pairwise(STAGES):
            later = json.loads(self.path(after).read_text())
            later["inputs"][f"{before}.json"] = file_sha256(self.path(before))
            self.path(after).write_text(json.dumps(later))

    def merge(self) -> list[str]:
        return merge(self.suite, [self.other], self.ours)

    def refused(self) -> str:
        """The message, after which nothing has been added."""
        with pytest.raises(GanbenchError) as error:
            self.merge()
        assert [path.name for path in (self.ours / NAME).glob("seed_*")] == ["seed_0"]
        return str(error.value)


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


def test_a_seed_is_added_and_in_the_table(machines: Machines) -> None:
    source = machines.other / NAME / "seed_1"
    assert machines.merge()[0] == f"{NAME}, seed_1: added from {source}"
    (results,) = collect(machines.suite, machines.ours)
    assert results.seeds_with("ok") == [0, 1]
    times = [(machines.ours / NAME / "seed_1" / f"{s}.json").stat().st_mtime_ns for s in STAGES]
    assert times == sorted(times)
    # All that snakemake compares with the data's record, which may be newer than the seed.
    history = machines.ours / NAME / "seed_1" / "history.csv"
    assert history.stat().st_mtime_ns > (machines.ours / "data" / "mnist.json").stat().st_mtime_ns
    assert not list((machines.ours / NAME).glob(".merge_*"))


def test_what_comes_next_is_said_of_a_seed_without_samples_and_weights(machines: Machines) -> None:
    line = machines.merge()[-1]
    report = machines.ours / "report" / "report.json"
    assert line.endswith(f"next: ganbench report --config {machines.suite} --out {report}")


def test_a_seed_with_its_weights_needs_no_such_line(machines: Machines) -> None:
    machines.edit("train", files={})
    for name in json.loads(machines.path("train").read_text())["files"]:
        if name.endswith(".safetensors"):
            weights = machines.path("train").with_name(name)
            weights.write_bytes(b"weights")
            machines.edit("train", files={name: file_sha256(weights)})
    assert len(machines.merge()) == 1


def test_a_seed_twice_is_said_and_changes_nothing(machines: Machines) -> None:
    machines.merge()
    assert machines.merge() == [f"{NAME}, seed_1: is there already"]


def test_a_seed_that_the_suite_does_not_list_is_said(machines: Machines) -> None:
    machines.write([0])
    assert machines.merge()[0].endswith(f"; add 1 to its seeds in {machines.suite}")


def test_a_seed_of_other_weights_is_refused(machines: Machines) -> None:
    machines.merge()
    machines.edit("train", files={"generator_last.safetensors": "f" * 64})
    with pytest.raises(GanbenchError, match=r"is another run than .*seed_1, of the same number"):
        machines.merge()


def test_another_version_of_the_numbers_is_refused(machines: Machines) -> None:
    machines.edit("train", provenance={"numerics": 2})
    assert "its numbers (version 2) are not those of" in machines.refused()


def test_a_tampered_record_is_refused(machines: Machines) -> None:
    record = json.loads(machines.path("sample").read_text())
    record["message"] = "tampered"
    machines.path("sample").write_text(json.dumps(record))
    assert "evaluate.json: was made from another sample.json" in machines.refused()


def test_a_damaged_file_is_refused(machines: Machines) -> None:
    history = machines.other / NAME / "seed_1" / "history.csv"
    history.write_text(history.read_text().replace("0.", "1.", 1))
    assert "history.csv: is not the file that train.json describes" in machines.refused()


def test_other_settings_are_refused(machines: Machines) -> None:
    config = json.loads(machines.path("train").read_text())["config"]
    config["training"]["learning_rate"] = 0.2
    machines.edit("train", config=config)
    assert "train.json: was made with other settings" in machines.refused()


def test_other_pixels_are_refused(machines: Machines) -> None:
    machines.edit("evaluate", datasets={"test": "c" * 64})
    assert "evaluate.json: was made from other pixels" in machines.refused()


def test_a_seed_in_anothers_place_is_refused(machines: Machines) -> None:
    machines.edit("sample", seed=7)
    assert "sample.json: is a sample record of seed 7" in machines.refused()


def test_a_folder_without_seeds_is_refused(machines: Machines, tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=r"no EXPERIMENT/seed_N/train\.json of"):
        merge(machines.suite, [tmp_path / "empty"], machines.ours)
