"""Which seeds are trained together, and which paths the workflow takes."""

import re
from pathlib import Path

import pytest

from ganbench.errors import ConfigError
from ganbench.workflow_settings import EACH, batches, needed, refuse_tags

ROOT = Path(__file__).parent.parent

TEN = {"mnist": tuple(range(10))}


def sizes(**settings: int | str) -> list[int]:
    groups = batches(TEN, settings)
    return [] if groups == [EACH] else [len(group.seeds) for group in groups]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"device": "cpu"}, []),
        ({"device": "cuda"}, [10]),
        ({"device": "cuda", "gpus": 4}, [3, 3, 3, 1]),
        ({"device": "cuda", "gpus": 20}, []),
        ({"seeds_per_job": 4}, [4, 4, 2]),
        ({"device": "cuda", "seeds_per_job": 1}, []),
    ],
)
def test_seeds_are_shared_out(settings: dict[str, int | str], expected: list[int]) -> None:
    assert sizes(**settings) == expected


def test_names_are_short_and_differ() -> None:
    groups = batches({"mnist": tuple(range(100, 1100))}, {"seeds_per_job": 333})
    names = [group.name for group in groups]
    assert names == ["seeds_100_to_432", "seeds_433_to_765", "seeds_766_to_1098", "seed_1099"]
    assert groups[3].rule("train") == "train_mnist_seed_1099"


def test_rules_have_plain_names_where_each_seed_has_a_job() -> None:
    assert [group.rule("train") for group in batches(TEN, {"seeds_per_job": 1})] == ["train"]


def test_a_seed_at_the_end_changes_the_last_batch_alone() -> None:
    eleven = {"mnist": tuple(range(11))}
    before, after = (batches(seeds, {"seeds_per_job": 4}) for seeds in (TEN, eleven))
    assert before[:2] == after[:2]


def test_a_path_that_a_page_would_take_for_a_tag_is_refused() -> None:
    refuse_tags([Path("a b'c (é) > $(x)/suite.yaml")])
    with pytest.raises(
        ConfigError, match=r"^a</script><img src=x>\.yaml: its path has a '<', which"
    ):
        refuse_tags([Path("suite.yaml"), Path("a</script><img src=x>.yaml")])


def test_the_paths_of_the_environment_lead_to_the_project() -> None:
    """From where Snakemake puts its copy: .snakemake/conda below the project."""
    text = (ROOT / "environment.yaml").read_text()
    paths = re.findall(r"^ +- -[ce] ([^[\n]+)", text, re.MULTILINE)
    resolved = {(ROOT / ".snakemake/conda" / one).resolve(strict=False) for one in paths}
    assert resolved == {ROOT / "constraints.txt", ROOT}


def test_a_job_reads_its_own_rules_alone() -> None:
    groups = batches(TEN, {"seeds_per_job": 4})
    rules = ["sample_mnist_seeds_4_to_7", "report"]
    assert needed(groups, ["snakemake", "--allowed-rules", *rules, "--cores", "2"]) == [groups[1]]
    assert needed(groups, ["snakemake", "--allowed-rules", "report"]) == []
    assert needed(groups, ["snakemake", "--cores", "2"]) == groups
    assert needed([EACH], ["snakemake", "--allowed-rules", "evaluate"]) == [EACH]
