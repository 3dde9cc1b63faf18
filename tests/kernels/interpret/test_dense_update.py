"""The GPU's update of dense networks against the engine's, and what it launches and moves."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.config import Adversarial, load_experiment
from ganbench.data.rows import Images
from ganbench.evaluation import parzen
from ganbench.training import networks
from ganbench.training.fused import engine
from ganbench.training.fused.dense import DenseUpdate, fits
from ganbench.training.fused.engine import Masks
from ganbench.training.fused.passes import Rates
from ganbench.training.fused.players import Player
from ganbench.training.loop import Run
from ganbench_kernels import dispatch, launching
from ganbench_kernels.dispatch import has_triton

if has_triton():
    from ganbench_kernels.dense_update import kernels, launch

EXPERIMENTS = Path(__file__).parents[3] / "configs" / "experiments"
IMAGES, SIDE, BATCH, SEEDS, UPDATES = 23, 4, 5, 2, 4
GENERATOR = {
    "noise": "uniform",
    "noise_dim": 3,
    "layers": [
        {"kind": "linear", "units": 5, "activation": "relu", "irange": 0.5},
        {"kind": "linear", "units": 7, "activation": "relu", "irange": 0.5},
        {"kind": "linear", "units": SIDE**2, "activation": "sigmoid", "irange": 0.5},
    ],
}
DISCRIMINATOR = {
    "layers": [
        {"kind": "maxout", "units": 8, "pieces": 5, "irange": 0.3},
        {"kind": "maxout", "units": 6, "pieces": 2, "irange": 0.3},
        {"kind": "linear", "units": 1, "irange": 0.3},
    ]
}
# A launch that reads what it writes moves it twice.
READ_AND_WRITTEN = (
    *("weight_ptr", "bias_ptr", "weight_velocity_ptr", "bias_velocity_ptr", "weights_ptr"),
    "sums_ptr",
)


def experiment(**training: Any) -> Adversarial:
    settings: dict[str, Any] = {
        "batch_size": BATCH,
        "learning_rate": 0.5,
        "learning_rate_decay": 1.1,
        "learning_rate_floor": 0.3,
        "phases": [{"epochs": 2}],
    }
    content = {
        "title": "dense",
        "dataset": "digits",
        "generator": GENERATOR,
        "discriminator": DISCRIMINATOR,
        "evaluation": {"monitor_every": 1},
        "training": settings | training,
    }
    return Adversarial.model_validate(content)


def players(settings: Adversarial, shape: tuple[int, int, int], seeds: int) -> tuple[Any, Any]:
    """The same networks each time; seeds differ."""
    pairs = []
    for seed in range(seeds):
        stream = torch.Generator().manual_seed(seed)
        pixels = torch.full((torch.Size(shape).numel(),), 0.3)
        generator = networks.build_generator(settings.generator, shape, pixels, stream)
        discriminator = networks.build_discriminator(settings.discriminator, shape, stream)
        pairs.append((generator, discriminator))
    generators, discriminators = zip(*pairs, strict=True)
    precision = settings.training.max_column_norm, settings.training.precision
    return Player(generators, *precision), Player(discriminators, *precision)


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"max_column_norm": 0.6},
        {"objective": "minimax"},
        {"objective": "hinge"},
        {"objective": "wasserstein"},
    ],
    ids=str,
)
def test_updates_equal_the_engines(training: dict[str, Any]) -> None:
    """Weights, momentum, losses and masks after each of four updates, to float32's rounding."""
    settings = experiment(**training)
    shape = 1, SIDE, SIDE
    images = torch.rand(IMAGES, SIDE**2, generator=torch.Generator().manual_seed(5))
    ours, theirs = players(settings, shape, SEEDS), players(settings, shape, SEEDS)
    assert fits(*ours)

    order = torch.stack([torch.randperm(IMAGES)[: UPDATES * BATCH] for _ in range(SEEDS)])
    order = order.reshape(SEEDS, UPDATES, BATCH)
    noise = torch.randn(SEEDS, UPDATES + 1, BATCH, 3)
    seeds, offset, rate = torch.tensor([11, 222_222_222_222]), 6, 0.5
    sums, expected_sums = torch.zeros(2, SEEDS, 4, dtype=torch.float64)
    update = DenseUpdate(*ours, images, seeds, settings.training, sums, order, noise)
    start = torch.tensor(rate, dtype=torch.float64)
    decay = torch.tensor(settings.training.learning_rate_decay, dtype=torch.float64)
    update.start_epoch(torch.tensor(offset), start, decay, torch.tensor(0.5))

    for batch in range(UPDATES):
        masks = Masks(seeds, torch.tensor(offset))
        outcome = engine.update(
            *theirs, images[order[:, batch]], noise[:, batch], masks,
            settings.training.objective, Rates(rate, 0.5),
        )  # fmt: skip
        probabilities = [
            logits.sigmoid().mean(-1) for logits in (outcome.real_logits, outcome.fake_logits)
        ]
        losses = outcome.discriminator_loss, outcome.generator_loss
        expected_sums += torch.stack((*losses, *probabilities), -1)
        offset, rate = offset + len(update.keeps), max(rate / 1.1, 0.3)

        update.update()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.weights, other.weights, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(mine.velocity, other.velocity, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(sums, expected_sums, rtol=1e-6, atol=1e-6)
        assert update.rate.item() == pytest.approx(rate, rel=1e-12)
        assert update.offsets.tolist() == [offset, offset + 1, offset + 2]


def test_auto_on_a_gpu_trains_by_these_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branches of a GPU, made to run on a CPU: an epoch whose last batch is shorter."""
    protocol = replace(parzen.GAN2014, samples=8)
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", protocol)
    # These kernels number the masks of an epoch without gaps, the engine leaves some.
    monkeypatch.setattr(engine, "masks_per_update", lambda network: len(network.layers))
    stream = torch.Generator().manual_seed(5)
    raw = torch.randint(0, 256, (13, 1, SIDE, SIDE), dtype=torch.uint8, generator=stream)
    data = Images(raw, 255.0, "unit_interval")
    runs = []
    for on_gpu in (False, True):
        if on_gpu:
            monkeypatch.setattr(Run, "replays", True)
            monkeypatch.setattr(dispatch, "_triton_fits", lambda *_: True)
            monkeypatch.setattr(dispatch, "_choices", {})
        run = Run(experiment(phases=[{"epochs": 1}]), (0, 1), data, data.rows(slice(5)), 1)
        while not run.finished:
            run.run_epoch(lambda: None)
        runs.append(run)
    expected, actual = runs
    assert actual.recorded is not None
    assert actual.recorded.dense is not None
    assert set(dispatch.choices().values()) == {"triton"}
    for s in (0, 1):
        theirs, ours = (run.state(s)[0] for run in (expected, actual))
        for name in theirs.keys() - {"noise"}:
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
        for one, two in zip(actual.progress[s].history, expected.progress[s].history, strict=True):
            assert one == pytest.approx(two, rel=1e-3)


def test_every_launch_says_what_its_grid_and_offsets_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """`launching` refuses what a GPU cannot count; those that count in 64 bits give no reach."""
    seen: dict[str, int] = {}

    def refused(kernel: Any, grid: tuple[int, ...], *_: Any, reach: int = 0, **__: Any) -> None:
        name = kernel.fn.__name__
        monkeypatch.setattr(launching, "GRID", (0, 0, 0))
        with pytest.raises(ValueError, match=rf"{name}: grid: should be at most"):
            launching._check_sizes(kernel, grid, reach)
        seen[name] = max(seen.get(name, 0), reach)

    monkeypatch.setattr(launch, "launch", refused)
    settings, seeds = experiment(max_column_norm=0.6), torch.arange(SEEDS)
    DenseUpdate(
        *players(settings, (1, SIDE, SIDE), SEEDS), torch.zeros(IMAGES, SIDE**2), seeds,
        settings.training, torch.zeros(SEEDS, 4, dtype=torch.float64),
        torch.zeros(SEEDS, 1, BATCH, dtype=torch.int64), torch.zeros(SEEDS, 2, BATCH, 3),
    ).update()  # fmt: skip
    names = {name for name in dir(kernels) if name.endswith("_kernel")}
    assert seen.keys() == names
    assert {name for name, reach in seen.items() if not reach} == {"advance_kernel", "bound_kernel"}
    # The widest layer, of 16 inputs or units, at the rows of both halves of a batch.
    assert all(reach >= 2 * BATCH * 8 for reach in seen.values() if reach)


class Counted:
    """Stands for a kernel, and writes down what its launches were given."""

    def __init__(self, kernel: Any, launches: list[dict[str, Any]]) -> None:
        self.names = list(inspect.signature(kernel.fn).parameters)
        self.launches = launches

    def __getitem__(self, _: tuple[int, ...]) -> Any:
        def launch(*arguments: Any, **_: Any) -> None:
            self.launches.append(dict(zip(self.names, arguments, strict=False)))

        return launch


def moved(launch: dict[str, Any], batch: int) -> int:
    """Bytes of a launch if each element comes from memory once and goes there once."""
    pointers: dict[int, tuple[str, Tensor]] = {}
    for name, value in launch.items():
        if isinstance(value, Tensor):  # the same tensor may stand for one that is not used
            pointers.setdefault(value.data_ptr(), (name, value))
    total = 0
    for name, tensor in pointers.values():
        size = tensor.numel() * tensor.element_size()
        if name == "images_ptr":  # only the minibatch's rows of all images
            size = launch["order_ptr"].shape[0] * batch * tensor.shape[-1] * 4
        elif name == "order_ptr" or (name == "x_ptr" and tensor.dim() == 4):
            # One minibatch of an epoch's order or noise.
            size //= tensor.shape[1]
        total += size * (2 if name in READ_AND_WRITTEN and "weight_velocity_ptr" in launch else 1)
    return total


@pytest.mark.parametrize(
    ("name", "seeds", "shape", "launches", "gigabytes"),
    [
        ("mnist_full_length", 10, (1, 28, 28), 17, 0.89),
        ("tfd", 1, (1, 48, 48), 19, 3.00),
        ("cifar10_fc", 1, (3, 32, 32), 17, 3.12),
    ],
)
def test_launches_and_bytes_of_an_update(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seeds: int,
    shape: tuple[int, int, int],
    launches: int,
    gigabytes: float,
) -> None:
    """Counted, so that machine noise cannot hide one more; no kernel runs."""
    settings = load_experiment(EXPERIMENTS / f"{name}.yaml")
    pixels, batch = torch.Size(shape).numel(), settings.training.batch_size
    record: list[dict[str, Any]] = []
    for kernel in [one for one in dir(kernels) if one.endswith("_kernel")]:
        monkeypatch.setattr(kernels, kernel, Counted(getattr(kernels, kernel), record))

    update = DenseUpdate(
        *players(settings, shape, seeds), torch.zeros(200, pixels), torch.arange(seeds),
        settings.training, torch.zeros(seeds, 4, dtype=torch.float64),
        torch.zeros(seeds, 2, batch, dtype=torch.int64),
        torch.zeros(seeds, 3, batch, settings.generator.noise_dim),
    )  # fmt: skip
    update.update()
    total = sum(moved(launch, batch) for launch in record)
    assert (len(record), round(total / 1e9, 2)) == (launches, pytest.approx(gigabytes, abs=0.015))
