"""A tiny experiment whose runs take milliseconds."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from ganbench.config import Adversarial
from ganbench.data.rows import Images
from ganbench.evaluation import parzen
from ganbench.training.fused import engine
from ganbench.training.loop import Run

from .runs import Spy

FRONT = [
    {"kind": "linear", "units": 6, "activation": "relu", "irange": 0.3},
    {"kind": "linear", "units": 3, "activation": "sigmoid", "irange": 0.3, "bias": -2.0},
]


def experiment(**training: Any) -> Adversarial:
    """Two phases of two epochs on 4 x 4 images; `monitor_every` is set by its name."""
    monitor_every = training.pop("monitor_every", 1)
    phases = [{"epochs": 2}, {"epochs": 2, "generator_front": FRONT}]
    return Adversarial.model_validate(
        {
            "title": "tiny",
            "dataset": "digits",
            "generator": {
                "noise": "uniform",
                "noise_dim": 3,
                "layers": [
                    {"kind": "linear", "units": 5, "activation": "relu", "irange": 0.5},
                    {
                        "kind": "linear",
                        "units": 16,
                        "activation": "sigmoid",
                        "irange": 0.5,
                        "bias": "marginals",
                    },
                ],
            },
            "discriminator": {
                "layers": [
                    {"kind": "maxout", "units": 4, "pieces": 2, "irange": 0.3},
                    {"kind": "linear", "units": 1, "irange": 0.3},
                ]
            },
            "training": {"batch_size": 5, "learning_rate": 0.5, "phases": phases} | training,
            "evaluation": {"monitor_every": monitor_every},
        }
    )


def images(count: int = 13) -> Images:
    stream = torch.Generator().manual_seed(2)
    raw = torch.randint(0, 17, (count, 1, 4, 4), generator=stream, dtype=torch.uint8)
    return Images(raw, 16.0, "unit_interval")


@pytest.fixture
def new_run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Starts a run; 13 training images make batches of 5, 5 and 3. Monitoring draws 32 samples."""
    monkeypatch.setitem(parzen.PROTOCOLS, "gan2014", replace(parzen.GAN2014, samples=32))
    validation = torch.rand(7, 16, generator=torch.Generator().manual_seed(4))

    def start(*seeds: int, device: str = "cpu", count: int = 13, **training: Any) -> Run:
        train = images(count)
        train = replace(train, raw=train.raw.to(device))
        rows = validation.to(device)
        return Run(experiment(**training), seeds or (0,), train, rows, 1, device)

    return start


@pytest.fixture
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch, engine)
