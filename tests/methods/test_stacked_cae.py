"""The contractive autoencoder: penalty, gradient and sampler with the Jacobian written out."""

import pytest
import torch
from torch import Tensor

from ganbench.config.methods import StackedCae as Settings
from ganbench.config.methods.stacked_cae import CaeChains
from ganbench.methods import stacked_cae
from ganbench.methods.stacked_cae import StackedCae
from ganbench.methods.tied import TiedLayer
from tests.methods.layers import digits, train

SMALL = Settings.model_validate(
    {"layers": [{"units": 16, "epochs": 1}, {"units": 12, "epochs": 1}], "batch_size": 20}
)


def started(recipe: Settings = SMALL, seed: int = 0) -> StackedCae:
    return StackedCae(recipe, digits().mean(0), torch.Generator().manual_seed(seed))


def a_layer(dtype: torch.dtype = torch.float64) -> TiedLayer:
    stream = torch.Generator().manual_seed(0)
    draw = [torch.randn(*size, generator=stream) for size in ((5, 7), (5,), (7,))]
    return TiedLayer(*(value.to(dtype) for value in draw))


def jacobians(layer: TiedLayer, inputs: Tensor) -> Tensor:
    encode = lambda x: torch.sigmoid(layer.weight @ x + layer.hidden_bias)  # noqa: E731
    return torch.stack([torch.autograd.functional.jacobian(encode, x) for x in inputs])


def test_a_step_follows_the_gradient_of_the_loss_with_the_jacobian_written_out() -> None:
    layer, inputs, rate, penalty = a_layer(), torch.rand(4, 7, dtype=torch.float64), 0.3, 0.7
    first = [value.clone().requires_grad_() for value in vars(layer).values()]
    weight, hidden_bias, visible_bias = first
    hidden = torch.sigmoid(inputs @ weight.T + hidden_bias)
    output = torch.sigmoid(hidden @ weight + visible_bias)
    cross_entropy = -(inputs * output.log() + (1 - inputs) * (1 - output).log()).sum(1).mean()
    jacobian = (hidden * (1 - hidden))[:, :, None] * weight
    squared = jacobian.square().sum((1, 2)).mean()
    torch.testing.assert_close(jacobian, jacobians(layer, inputs))
    gradients = torch.autograd.grad(cross_entropy + penalty * squared, first)

    losses = stacked_cae.step(layer, inputs, penalty, rate)
    assert losses["cross_entropy"].item() == pytest.approx(cross_entropy.item())
    assert losses["squared_jacobian"].item() == pytest.approx(squared.item())
    for value, before, gradient in zip(vars(layer).values(), first, gradients, strict=True):
        torch.testing.assert_close(value, before.detach() - rate * gradient)


def test_a_step_of_the_chain_is_that_of_the_jacobian_written_out() -> None:
    layer, visible, sigma = a_layer(), torch.rand(4, 7, dtype=torch.float64), 0.8
    noise = torch.randn(4, 5, generator=torch.Generator().manual_seed(3)).double() * sigma
    jacobian = jacobians(layer, visible)
    moved = jacobian @ jacobian.mT @ noise[:, :, None]
    expected = layer.decode(layer.encode(visible) + moved[:, :, 0])
    stream = torch.Generator().manual_seed(3)
    torch.testing.assert_close(stacked_cae.walk(layer, visible, sigma, stream), expected)


def test_the_first_weights_are_those_of_the_released_code() -> None:
    model = started(Settings())
    shapes = [tuple(value.shape) for value in model.weights().values() if value.ndim == 2]
    assert shapes == [(1000, 64), (1000, 1000)]
    bound = 4 * (6 / 2000) ** 0.5
    assert model.layers[1].weight.abs().max().item() == pytest.approx(bound, rel=1e-4)
    assert not any(value.any() for value in model.weights().values() if value.ndim == 1)


def test_a_part_trains_one_layer_on_the_codes_below_it() -> None:
    model, images = started(), digits()
    before = {name: value.clone() for name, value in model.weights().items()}
    train(model, images, 3)
    moved = {
        name for name, value in model.weights().items() if not torch.equal(value, before[name])
    }
    assert moved == {"0.weight", "0.hidden_bias", "0.visible_bias"}
    upper = model.layers[1]
    alone = TiedLayer(*(value.clone() for value in vars(upper).values()))
    rows = images[torch.randint(len(images), (20,), generator=torch.Generator().manual_seed(3))]
    train(model, images, 1, first=3)
    stacked_cae.step(alone, model.layers[0].encode(rows), SMALL.penalty, SMALL.learning_rate)
    assert torch.equal(alone.weight, upper.weight)


def test_it_learns_the_digits_and_contracts() -> None:
    one = SMALL.model_copy(update={"layers": SMALL.layers[:1]})
    losses = train(started(one), digits(), 300)
    first, last = losses[0], losses[-1]
    assert last["cross_entropy"] < 0.7 * first["cross_entropy"]
    contracted = train(started(one.model_copy(update={"penalty": 1.0})), digits(), 300)
    assert contracted[-1]["squared_jacobian"] < 0.5 * last["squared_jacobian"]


def test_without_noise_a_sample_is_a_reconstruction() -> None:
    model, images = started(), digits()
    way = CaeChains(chains=50, sigma=0.0)
    samples = model.sample(50, torch.Generator().manual_seed(5), images, way)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(5))[:50]
    lower, upper = model.layers
    code = lower.encode(images[order])
    torch.testing.assert_close(samples, lower.decode(upper.decode(upper.encode(code))))


@pytest.mark.parametrize("name", SMALL.ways)
def test_every_way_gives_as_many_samples_as_asked(name: str) -> None:
    samples = started().sample(30, torch.Generator().manual_seed(0), digits(), SMALL.ways[name])
    assert samples.shape == (30, 64)
    assert ((samples > 0) & (samples < 1)).all()
    again = started().sample(30, torch.Generator().manual_seed(0), digits(), SMALL.ways[name])
    assert torch.equal(samples, again)


def test_the_first_way_is_the_headline() -> None:
    first = next(iter(SMALL.ways.values()))
    streams = (torch.Generator().manual_seed(0) for _ in range(2))
    samples = [
        started().sample(9, stream, digits(), way)
        for stream, way in zip(streams, (None, first), strict=True)
    ]
    assert torch.equal(*samples)
