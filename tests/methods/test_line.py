"""What every method must do: resume bit for bit, be refused in one line, be sampled and scored."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from ganbench.config import load_experiment
from ganbench.config.methods import RECIPES
from ganbench.data.digits import load as load_digits
from ganbench.data.rows import Images
from ganbench.errors import ConfigError, DivergenceError
from ganbench.methods.gmmn import MomentMatching
from ganbench.records import Record
from ganbench.stages import train as stage
from ganbench.stages.context import Job
from ganbench.stages.evaluate import evaluate
from ganbench.stages.sample import sample
from ganbench.stages.train import InterruptedRunError, train
from ganbench.training import states
from ganbench.training.method_run import MethodRun
from tests.golden.cases import short_protocols
from tests.methods import recipes


@pytest.fixture(autouse=True)
def few_samples() -> Iterator[None]:
    with short_protocols():
        yield


def new_run(method: str, seeds: tuple[int, ...] = (3,)) -> MethodRun:
    digits = load_digits()
    train = Images(torch.from_numpy(digits.train[:33]), 16.0, "unit_interval")
    held_out = Images(torch.from_numpy(digits.folds[0].validation[:20]), 16.0, "unit_interval")
    return MethodRun(recipes.experiment(method), seeds, train, held_out.rows(), 1)


def finish(run: MethodRun) -> MethodRun:
    while not run.finished:
        run.run_epoch(lambda: None)
    return run


def everything(run: MethodRun, s: int = 0) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in run.state(s)[0].items()}


def test_every_method_has_a_tiny_recipe() -> None:
    assert recipes.RECIPES.keys() == RECIPES.keys()


@pytest.mark.parametrize("method", RECIPES)
def test_a_saved_run_goes_on_bit_for_bit_from_every_update(method: str) -> None:
    whole = finish(new_run(method))
    saved: list[Any] = []

    def save() -> None:
        tensors, counters = run.state(0)
        kept = {name: value.clone() for name, value in tensors.items()}
        saved.append((kept, json.loads(json.dumps(counters))))

    run = new_run(method)
    while not run.finished:
        run.run_epoch(save)
        save()
    assert len(saved) == whole.counters.updates
    # The first updates, and those around the border of two parts.
    for state in saved[:: max(1, len(saved) // 8)]:
        assert states.misfit(run.experiment, (1, 8, 8), *state) is None
        resumed = new_run(method)
        resumed.restore([state])
        finish(resumed)
        for name, value in everything(whole).items():
            assert torch.equal(everything(resumed)[name], value), name
        assert resumed.progress[0].history == whole.progress[0].history


@pytest.mark.parametrize("method", RECIPES)
def test_a_seed_does_not_depend_on_those_beside_it(method: str) -> None:
    alone, together = finish(new_run(method, (3,))), finish(new_run(method, (5, 3)))
    for name, value in everything(alone).items():
        torch.testing.assert_close(everything(together, 1)[name], value, rtol=0, atol=0)
    assert not torch.equal(together.sample(9, torch.Generator().manual_seed(0), 0),
                           together.sample(9, torch.Generator().manual_seed(0), 1))  # fmt: skip


@pytest.mark.parametrize("method", RECIPES)
def test_samples_of_every_way_are_images(method: str) -> None:
    run = finish(new_run(method))
    ways = run.experiment.recipe.ways_to_sample or {"": None}
    for way in ways.values():
        stream = torch.Generator().manual_seed(0)
        actual = run.methods[0].sample(23, stream, run.train.rows(), way)
        assert actual.shape == (23, 64)
        assert ((actual >= 0) & (actual <= 1)).all()
        assert len(actual.unique(dim=0)) > 1


def test_a_state_of_another_model_is_named() -> None:
    tensors, counters = new_run("gmmn").state(0)
    experiment = recipes.experiment("gmmn")
    name = "method.layers.0.weight"
    wrong = tensors | {name: torch.zeros(2, 2)}
    assert states.misfit(experiment, (1, 8, 8), wrong, counters) == (
        f"tensor {name!r} is [2, 2], expected [9, 4]"
    )
    del wrong[name]
    assert states.misfit(experiment, (1, 8, 8), wrong, counters) == f"has no tensor {name!r}"


class Project:
    """A folder with the file of a tiny experiment and its results."""

    def __init__(self, folder: Path, method: str) -> None:
        self.folder, self.config = folder, folder / "tiny.yaml"
        self.config.write_text(yaml.safe_dump(recipes.settings(method)))

    def job(self, stage: Any) -> Job:
        out = self.folder / "seed_0" / f"{stage}.json"
        out.parent.mkdir(exist_ok=True)
        return Job(stage, self.config, out, "test", 0, "cpu", "reference")

    def train(self, **options: Any) -> Record:
        return train([self.job("train")], self.folder, **options)[0]


@pytest.mark.parametrize("method", RECIPES)
def test_a_method_is_trained_sampled_and_scored(tmp_path: Path, method: str) -> None:
    project = Project(tmp_path, method)
    assert project.train().status == "ok"
    folder = tmp_path / "seed_0"
    drawn = sample(project.job("sample"), folder / "train.json", tmp_path)
    scored = evaluate(project.job("evaluate"), folder / "sample.json", tmp_path)
    reported = load_experiment(project.config).states
    assert {name for name in drawn.files if name.endswith(".npy")} == {
        f"samples_{state}.npy" for state in reported
    }
    values = {
        metric.labels["checkpoint"]: metric.value
        for metric in scored.metrics
        if metric.name == "log_likelihood"
    }
    assert values.keys() == set(reported)
    assert np.isfinite(list(values.values())).all()
    with np.load(folder / "figures_last.npz") as figures:
        assert set(figures) == {"samples", "neighbours"}


def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = tmp_path / "whole", tmp_path / "pieces"
    for folder in folders:
        folder.mkdir()
    Project(folders[0], "gmmn").train()
    plain = stage.Progress.update

    def stop(self: Any, run: Any) -> None:
        plain(self, run)
        if run.counters.updates == 8:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(stage.Progress, "update", stop)
    with pytest.raises(InterruptedRunError, match="after update 8; run the same command again"):
        Project(folders[1], "gmmn").train()
    monkeypatch.setattr(stage.Progress, "update", plain)
    Project(folders[1], "gmmn").train()
    for name in ("history.csv", "generator_last.safetensors"):
        first, second = ((folder / "seed_0" / name).read_bytes() for folder in folders)
        assert first == second, name


def test_a_method_that_diverges_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, "gmmn")

    def spoil(self: MomentMatching, *_: Any) -> dict[str, Tensor]:
        next(iter(self.weights().values())).data.fill_(torch.nan)
        return {"sqrt_mmd2": torch.tensor(torch.nan)}

    monkeypatch.setattr(MomentMatching, "update", spoil)
    with pytest.raises(DivergenceError, match=r"epoch 1: sqrt_mmd2, .*weights not finite; lower"):
        project.train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "gmm"}, "method: got 'gmm'; use one of adversarial, "),
        ({"method": 3}, "method: got 3; use one of adversarial, "),
        ({"method": ["gmmn"]}, "method: got ['gmmn']; use one of adversarial, "),
        ({"method": "adversarial"}, "generator: is missing; add it"),
        ({"generator": {}}, "top level: unknown key 'generator'; "),
        (
            {"recipe": recipes.RECIPES["gmmn"] | {"noise": 3}},
            "recipe: unknown key 'noise'; did you mean 'noise_dim'?",
        ),
        (
            {"recipe": recipes.RECIPES["gmmn"] | {"noise_dim": 0}},
            "recipe: noise_dim: input should be greater than 0, got 0",
        ),
        ({"recipe": 3}, "recipe: input should be a valid dictionary"),
    ],
)
def test_settings_of_another_method_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(recipes.settings("gmmn") | changes))
    with pytest.raises(ConfigError) as refused:
        load_experiment(path)
    assert f"{path}: {message}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_further_way_to_sample_trains_nothing_anew() -> None:
    for method in RECIPES:
        before = recipes.experiment(method)
        ways = before.recipe.ways_to_sample
        if not ways:
            continue
        first = next(iter(ways))
        recipe = before.recipe.model_copy(update={"ways": {first: ways[first]}})
        after = before.model_copy(update={"recipe": recipe})
        assert after.training_digest == before.training_digest
        assert after.digest != before.digest
        assert set(after.states) < set(before.states)
