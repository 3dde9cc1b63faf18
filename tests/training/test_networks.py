"""Initial values of 2014, and every setting that does not fit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganbench import config
from ganbench.errors import ConfigError
from ganbench.training import networks
from ganbench.training.networks import build_discriminator, build_generator, put_in_front

EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiments"
SHAPE = (1, 8, 8)
MEANS = torch.full((64,), 0.5)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(units: int, **settings: Any) -> dict[str, Any]:
    plain = {"kind": "linear", "units": units, "irange": 0.05}
    return {key: value for key, value in (plain | settings).items() if value is not None}


def maxout(units: int) -> dict[str, Any]:
    return {"kind": "maxout", "units": units, "pieces": 5, "irange": 0.005}


def convolution(**settings: int) -> dict[str, Any]:
    sizes = {"kernel_size": 3, "padding": 1, "pool_size": 2, "pool_stride": 2} | settings
    plain = {"kind": "convolutional_maxout", "channels": 3, "pieces": 2, "irange": 0.005}
    return plain | sizes


def transposed(channels: int, size: int) -> dict[str, Any]:
    plain = {"kind": "transposed_convolution", "kernel_size": 5, "stride": 3, "irange": 0.05}
    return plain | {"channels": channels, "size": size}


def generator(
    *layers: dict[str, Any], shape: tuple[int, int, int] = SHAPE, means: Tensor = MEANS
) -> nn.Module:
    settings = {"noise": "uniform", "noise_dim": 30, "layers": layers}
    return build_generator(config.Generator.model_validate(settings), shape, means, stream())


def discriminator(*layers: dict[str, Any], **keep: float) -> nn.Module:
    settings = config.Discriminator.model_validate({"layers": layers} | keep)
    return build_discriminator(settings, SHAPE, stream())


def assert_uniform(weight: Tensor, irange: float) -> None:
    """Within the range, filling it evenly."""
    values = weight.detach().double().flatten()
    assert values.abs().max() < irange
    # Five standard errors of the mean and of the second moment of a uniform variable.
    error = 5 / math.sqrt(len(values))
    assert abs(values.mean().item()) < error * irange / math.sqrt(3)
    assert values.square().mean().item() == pytest.approx(
        irange**2 / 3, abs=error * irange**2 * math.sqrt(4 / 45)
    )


def test_linear_layers_start_uniform_with_the_bias_given() -> None:
    first, last = generator(
        linear(200, activation="relu"), linear(64, irange=0.5, bias=-2.0)
    ).layers
    assert first.weight.shape == (200, 30)
    assert_uniform(first.weight, 0.05)
    assert_uniform(last.weight, 0.5)
    assert (first.bias == 0).all()
    assert (last.bias == -2).all()
    assert isinstance(first.activation, nn.ReLU)
    assert isinstance(last.activation, nn.Identity)


def test_maxout_layers_start_uniform_without_bias() -> None:
    first, last = discriminator(maxout(40), linear(1, irange=0.02)).layers
    assert first.weight.shape == (5, 40, 64)
    assert_uniform(first.weight, 0.005)
    assert (first.bias == 0).all()
    assert_uniform(last.weight, 0.02)


def test_convolutions_start_uniform_without_bias() -> None:
    first, _ = discriminator(convolution(channels=40), linear(1)).layers
    assert_uniform(first.weight, 0.005)
    assert (first.bias == 0).all()
    (layer,) = generator(
        linear(720), transposed(20, 6), shape=(3, 20, 20), means=torch.zeros(1200)
    ).layers[1:]
    assert_uniform(layer.weight, 0.05)
    assert (layer.bias == 0).all()


def test_sparse_units_have_exactly_so_many_standard_normal_weights() -> None:
    first, last = generator(linear(400), linear(64, irange=None, sparse_weights=100)).layers
    assert first.weight.count_nonzero() == first.weight.numel()
    assert (last.weight != 0).sum(1).tolist() == [100] * 64
    values = last.weight[last.weight != 0].detach()
    # Five standard errors of mean and variance of 6,400 standard-normal values.
    assert values.mean().item() == pytest.approx(0, abs=5 / 80)
    assert values.var().item() == pytest.approx(1, abs=5 * math.sqrt(2) / 80)
    # Every unit chooses its own inputs, and every input is chosen about equally often.
    chosen = last.weight != 0
    assert len(chosen.unique(dim=0)) == 64
    assert chosen.sum(0).double().mean().item() == 16
    assert chosen.sum(0).max() < 16 + 5 * math.sqrt(64 * 0.25 * 0.75)


def test_marginals_are_the_clipped_logits_of_the_pixel_means() -> None:
    means = torch.linspace(0, 1, 64)
    (layer,) = generator(linear(64, bias="marginals"), means=means).layers
    clipped = means.double().clip(1e-7, 1 - 1e-7)
    expected = (clipped / (1 - clipped)).log().float()
    torch.testing.assert_close(layer.bias.detach(), expected, rtol=1e-6, atol=1e-6)
    assert layer.bias[0].item() == pytest.approx(-16.118, abs=1e-3)
    torch.testing.assert_close(layer.bias.sigmoid().detach(), means, rtol=0, atol=2e-7)


def test_a_stream_draws_the_same_weights_and_another_draws_others() -> None:
    settings = config.Discriminator.model_validate({"layers": [maxout(3), linear(1)]})
    first, again = (build_discriminator(settings, SHAPE, stream(1)) for _ in range(2))
    other = build_discriminator(settings, SHAPE, stream(2))
    for one, same, different in zip(
        *(network.layers for network in (first, again, other)), strict=True
    ):
        assert torch.equal(one.weight, same.weight)
        assert not torch.equal(one.weight, different.weight)


def test_keep_probabilities_of_first_and_later_layers() -> None:
    network = discriminator(maxout(3), maxout(3), linear(1), input_keep=0.9, hidden_keep=0.4)
    assert network.keep == [0.9, 0.4, 0.4]
    assert discriminator(maxout(3), maxout(3), linear(1)).keep == [0.8, 0.5, 0.5]


def test_new_layers_come_first_and_the_old_ones_stay() -> None:
    old = generator(linear(40), linear(64))
    kept = [parameter.detach().clone() for parameter in old.parameters()]
    front = tuple(
        config.Linear.model_validate(layer)
        for layer in (linear(80, activation="relu"), linear(30, activation="sigmoid", bias=-2.0))
    )
    network = put_in_front(old, front, 30, stream())
    assert [layer.weight.shape for layer in network.layers] == [
        (80, 30),
        (30, 80),
        (40, 30),
        (64, 40),
    ]
    assert_uniform(network.layers[0].weight, 0.05)
    assert (network.layers[1].bias == -2).all()
    actual = list(network.parameters())[4:]
    assert all(torch.equal(one, two) for one, two in zip(actual, kept, strict=True))
    noise = torch.ones(2, 30)
    assert torch.equal(network(noise), old(network.layers[1](network.layers[0](noise))))


# Numbers of weights and biases, layer by layer.
SIZES = {
    "mnist": ((1, 28, 28), [121_200, 1_441_200, 941_584], [942_000, 289_200, 241]),
    "tfd": (
        (1, 48, 48),
        [808_000, 800_100, 808_000, 64_008_000, 18_434_304],
        [13_830_000, 7_206_000, 1_201],
    ),
    "cifar10_fc": (
        (3, 32, 32),
        [808_000, 64_008_000, 24_579_072],
        [24_584_000, 12_808_000, 1_601],
    ),
    "cifar10_conv": (
        (3, 32, 32),
        [808_000, 64_008_000, 9_072],
        [12_352, 131_136, 307_584, 12_002_500, 501],
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_sizes_of_the_papers_networks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their memory: tensors on the meta device have shapes only."""
    for draw in ("_uniform", "_sparse_normal"):
        monkeypatch.setattr(networks, draw, lambda *_: None)
    shape, generator_sizes, discriminator_sizes = SIZES[name]
    settings = config.load_experiment(EXPERIMENTS / f"{name}.yaml")
    with torch.device("meta"):
        means = torch.zeros(math.prod(shape))
        actual = build_generator(settings.generator, shape, means, stream())
        for phase in settings.training.phases[1:]:
            actual = put_in_front(actual, phase.generator_front, 100, stream())
        judge = build_discriminator(settings.discriminator, shape, stream())
    for network, sizes in ((actual, generator_sizes), (judge, discriminator_sizes)):
        layers = [sum(p.numel() for p in layer.parameters()) for layer in network.layers]
        assert layers == sizes


def front_that_does_not_fit() -> nn.Module:
    front = (config.Linear.model_validate(linear(31)),)
    return put_in_front(generator(linear(64)), front, 30, stream())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: generator(linear(63)),
            "generator: layers: the last one gives 63 pixels, got images of 64 [1, 8, 8]; correct",
        ),
        (
            lambda: generator(linear(100), transposed(2, 10), shape=(3, 32, 32)),
            "generator: layers: transposed_convolution: takes 200 features (2 x 10 x 10), got 100;",
        ),
        (
            lambda: generator(linear(200), transposed(2, 10), shape=(3, 30, 30)),
            "generator: layers: the last one gives 3072 pixels, got images of 2700 [3, 30, 30]; ",
        ),
        (
            lambda: generator(linear(63, bias="marginals"), linear(64)),
            "generator: layers: bias: 'marginals' needs one unit per pixel (64), got 63 units; use",
        ),
        (
            lambda: discriminator(linear(1, bias="marginals")),
            "bias: 'marginals' needs one unit per pixel",
        ),
        (
            lambda: generator(linear(64, irange=None, sparse_weights=31)),
            "generator: layers: sparse_weights: got 31, more than the 30 inputs; reduce it",
        ),
        (
            lambda: discriminator(maxout(3)),
            "discriminator: layers: the last one has 3 units; it needs 1, the logit",
        ),
        (
            lambda: discriminator(maxout(3), convolution(), linear(1)),
            "discriminator: layers: convolutional_maxout comes after a fully connected layer; put",
        ),
        (
            lambda: discriminator(convolution(kernel_size=11, pool_size=1, pool_stride=1)),
            "kernel_size 11 and pool_size 1 are larger than the input [1, 8, 8]; reduce them",
        ),
        (
            lambda: discriminator(convolution(pool_size=20)),
            "kernel_size 3 and pool_size 20 are larger than the input [1, 8, 8]; reduce them",
        ),
        (
            front_that_does_not_fit,
            "training: phases: generator_front: ends in 31 units, but the generator takes 30; ",
        ),
    ],
)
def test_layers_that_do_not_fit(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
