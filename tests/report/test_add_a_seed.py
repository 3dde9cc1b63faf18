"""A seed made by today's code joins a published suite, whose records are older."""

import json
import shutil
from pathlib import Path

import pytest

from ganbench.chain import SEED_STAGES
from ganbench.config import load_experiment
from ganbench.errors import GanbenchError
from ganbench.numerics import NUMERICS
from ganbench.provenance import code_digest, file_sha256
from ganbench.report.build import build

ROOT = Path(__file__).parents[2]
NAME = "mnist_bfloat16"


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """The published suite with a third seed, which differs from the second by its number."""
    experiment = ROOT / "configs" / "experiments" / f"{NAME}.yaml"
    suite = {
        "name": NAME,
        "title": "One seed more",
        "experiments": [{"config": str(experiment), "seeds": [0, 1, 2]}],
    }
    (tmp_path / "suite.yaml").write_text(json.dumps(suite))
    results = tmp_path / "results" / NAME
    shutil.copytree(ROOT / "results" / "published" / NAME, results)
    shutil.copytree(results / NAME / "seed_1", results / NAME / "seed_2")
    settings = load_experiment(experiment)
    folder = results / NAME / "seed_2"
    # Another seed has another history and other weights and samples, of which later records know.
    history = folder / "history.csv"
    history.write_text(history.read_text().replace("1,1,500,", "1,1,500.0,", 1))
    known: dict[str, str] = {"history.csv": file_sha256(history)}
    for stage in SEED_STAGES:
        path = folder / f"{stage}.json"
        record = json.loads(path.read_text())
        made = {"code_digest": code_digest(stage), "numerics": NUMERICS[stage]}
        record |= {"seed": 2, "config_digest": settings.digest}
        record["provenance"] |= made
        known |= {name: known.get(name, digest[::-1]) for name, digest in record["files"].items()}
        record["files"] = {name: known[name] for name in record["files"]}
        record["inputs"] = {name: known[name] for name in record["inputs"]}
        path.write_text(json.dumps(record))
        known[path.name] = file_sha256(path)
    return tmp_path


def test_it_is_in_the_table(grown: Path) -> None:
    build(grown / "suite.yaml", grown / "results" / NAME, grown / "report" / "report.json")
    rows = json.loads((grown / "report" / "report.json").read_text())["rows"]
    ours = next(row for row in rows if row["source"] == "ours: last epoch")
    assert ours["seeds_finished"] == 3
    assert ours["seed_values"][1] == ours["seed_values"][2]


def test_another_version_is_not(grown: Path) -> None:
    path = grown / "results" / NAME / NAME / "seed_2" / "train.json"
    record = json.loads(path.read_text())
    record["provenance"]["numerics"] = NUMERICS["train"] + 1
    path.write_text(json.dumps(record))
    with pytest.raises(GanbenchError, match=r"its numbers \(version 2\) are not those of .*seed_0"):
        build(grown / "suite.yaml", grown / "results" / NAME, grown / "report.json")
