from collections.abc import Callable

import pytest

from ganbench.config import load_experiment
from ganbench.report.collect import collect
from ganbench.report.facts import commits, provenance
from ganbench.report.outputs import FIGURES, TABLES

from .synthetic import COMMIT, EXPERIMENTS, SIGMAS, Synthetic


def experiment(built: Synthetic, name: str) -> dict:
    (actual,) = (one for one in built.report["experiments"] if one["name"] == name)
    return actual


def test_an_experiment_says_how_it_ran(built: Synthetic) -> None:
    mnist = experiment(built, "mnist")
    assert (mnist["seeds_finished"], mnist["seeds_diverged"], mnist["shown_seed"]) == (
        [0, 2],
        [1],
        0,
    )
    assert mnist["status"] == "1 of 3 seeds diverged"
    # Seeds 0 and 2 took 0.05 and 0.07 s.
    assert mnist["runs"]["seconds_per_update"] == pytest.approx(0.06)
    assert mnist["protocol"]["n_centers"] == 10000
    assert mnist["protocol"]["n_validation"] == 1000
    assert mnist["protocol"]["sigmas"] == pytest.approx(list(SIGMAS))


def test_the_recipe_is_the_configuration(built: Synthetic) -> None:
    recipe = experiment(built, "tfd")["recipe"]
    training = load_experiment(EXPERIMENTS / "tfd.yaml").training
    assert recipe["generator"] == "ReLU 8000, sigmoid 8000, sigmoid 2304"
    assert recipe["discriminator"] == "maxout 1200 x 5, maxout 1200 x 5, linear 1"
    assert recipe["epochs"] == [50, 22]
    assert recipe["learning_rate"] == training.learning_rate


def test_what_did_not_run_has_no_numbers(built: Synthetic) -> None:
    for name in ("tfd", "mnist_normal"):
        facts = experiment(built, name)
        assert (facts["runs"], facts["protocol"], facts["shown_seed"]) == ({}, {}, None)


def test_provenance_counts_and_sums(built: Synthetic) -> None:
    actual = built.report["provenance"]
    # Two experiments share MNIST's record of `fetch`; each has its own baselines.
    assert actual["records"] == 3 + 4 + 3 * 7
    assert (actual["seeds_finished"], actual["seeds_diverged"]) == (3, 3)
    assert actual["commit"] == COMMIT[:10]
    assert actual["devices"] == ["Synthetic CPU"]
    assert actual["wall_time_s"]["train"] == pytest.approx(7 * 2.5)
    assert actual["wall_time_s"]["fetch"] == pytest.approx(3 * 2.5)


def test_a_run_that_went_on_elsewhere_names_both_machines(
    synthetic: Callable[..., Synthetic],
) -> None:
    suite = synthetic({"digits": (0,)})
    part = {"code_digest": "c", "threads": 1, "instruction_set": "AVX2", "impl": "reference"}
    parts = [
        part | {"from_update": start, "device": device, "versions": {"torch": torch}}
        for start, device, torch in ((0, "First CPU", "2.1"), (9, "Second CPU", "2.2"))
    ]
    suite.edit(suite.record_path("digits", 0, "train"), provenance={"environments": parts})
    actual = provenance(collect(suite.config, suite.results))
    assert actual["devices"] == ["First CPU", "Second CPU", "Synthetic CPU"]
    assert {"torch 2.1", "torch 2.2"} <= set(actual["versions"])


def test_several_commits_and_changes_are_told(synthetic: Callable[..., Synthetic]) -> None:
    suite = synthetic({"digits": (0, 1)})
    suite.edit(suite.record_path("digits", 1, "train"), provenance={"git_commit": "f" * 40})
    suite.edit(suite.record_path("digits", 0, "train"), provenance={"git_dirty": True})
    suite.edit(suite.record_path("digits", 0, "sample"), provenance={"git_commit": ""})
    (digits,) = collect(suite.config, suite.results)
    actual = commits(stored.record.provenance for stored in digits.stored)
    assert actual == f"{COMMIT[:10]}, {COMMIT[:10]} with changes, {'f' * 10}, no commit"


def test_captions_name_the_rule(built: Synthetic) -> None:
    captions = built.report["captions"]
    assert set(captions) == {*TABLES, *FIGURES}
    assert all(text.endswith("Rule: report.") for text in captions.values())
