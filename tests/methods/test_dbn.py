"""The deep belief network: a machine of 6 x 4 units by enumeration, its chains, and the stack."""

import itertools

import pytest
import torch
from torch import Tensor

from ganbench.config.methods import Dbn as Settings
from ganbench.config.methods.dbn import DbnChains
from ganbench.methods import dbn
from ganbench.methods.counters import Counters
from ganbench.methods.dbn import Dbn, side
from ganbench.methods.tied import TiedLayer
from tests.methods.layers import digits, resumed_is_equal, train

SMALL = Settings.model_validate(
    {
        "layers": [
            {"units": 16, "epochs": 8, "inputs": "binary"},
            {"units": 12, "epochs": 8, "inputs": "probabilities"},
        ],
        "particles": 20,
        "momentum": 0.9,
        "weight_decay": 1e-3,
    }
)
PERSISTENT = SMALL.model_copy(update={"negative_phase": "persistent"})
ROWS = 20_000
# Five standard errors of a difference of two means of numbers between 0 and 1.
FIVE_ERRORS = 5 * (0.25 / ROWS + 0.25 / ROWS) ** 0.5


def started(recipe: Settings = SMALL, seed: int = 0) -> Dbn:
    return Dbn(recipe, digits().mean(0), torch.Generator().manual_seed(seed))


def every(units: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def machine() -> TiedLayer:
    """Six visible and four hidden units, with weights that make them strongly dependent."""
    stream = torch.Generator().manual_seed(1)
    sizes = ((4, 6), (4,), (6,))
    return TiedLayer(*(torch.randn(*size, generator=stream).double() for size in sizes))


def log_joint(layer: TiedLayer) -> Tensor:
    """Log of exp(h W v + c h + b v) for each of 64 v and 16 h, by its definition."""
    visible, hidden = every(6), every(4)
    weight, hidden_bias, visible_bias = (value.double() for value in vars(layer).values())
    joint = torch.einsum("ni,ji,mj->nm", visible, weight, hidden)
    return joint + (visible @ visible_bias)[:, None] + hidden @ hidden_bias


def log_probabilities(layer: TiedLayer) -> Tensor:
    """Exact log p(v) of the 64 states."""
    return log_joint(layer).logsumexp(1).log_softmax(0)


def number(rows: Tensor) -> Tensor:
    """Of rows of zeros and ones, which of `every(6)` they are."""
    return (rows @ torch.tensor([32, 16, 8, 4, 2, 1], dtype=rows.dtype)).long()


def test_free_energy_sums_the_hidden_states_out() -> None:
    layer = machine()
    expected = -log_joint(layer).logsumexp(1)
    torch.testing.assert_close(dbn.free_energy(layer, side(layer, every(6))), expected)


def exact_gradient(layer: TiedLayer, data: Tensor) -> list[Tensor]:
    """Of the mean log-likelihood of rows of zeros and ones, through the enumeration."""
    values = [value.clone().requires_grad_() for value in vars(layer).values()]
    mean = log_probabilities(TiedLayer(*values))[number(data)].mean()
    return list(torch.autograd.grad(mean, values))


def test_a_step_with_the_models_own_samples_follows_the_exact_gradient() -> None:
    """The samples are drawn from the enumerated p(v), so that only `ascend` is tested."""
    layer, stream = machine(), torch.Generator().manual_seed(0)
    data = every(6)[torch.randint(64, (50,), generator=stream)]
    gradient = exact_gradient(layer, data)
    # Rounded to whole copies, the shares of the states are wrong by half a millionth.
    counts = (log_probabilities(layer).exp() * 1_000_000).round().long()
    samples = every(6).repeat_interleave(counts, 0)
    before = [value.clone() for value in vars(layer).values()]
    velocity = TiedLayer(*(torch.zeros_like(value) for value in before))
    dbn.ascend(layer, velocity, side(layer, data), side(layer, samples), 0.5, 0.0, 0.0)
    for value, old, expected in zip(vars(layer).values(), before, gradient, strict=True):
        torch.testing.assert_close((value - old) / 0.5, expected, atol=64 * 0.5e-6, rtol=0)


@pytest.mark.parametrize("negative_phase", ["contrastive_divergence", "persistent"])
def test_many_gibbs_steps_give_the_exact_gradient(negative_phase: str) -> None:
    recipe = Settings.model_validate(
        {
            "layers": [{"units": 4, "epochs": 1, "inputs": "binary"}],
            "negative_phase": negative_phase,
            "gibbs_steps": 60,
            "particles": ROWS,
        }
    )
    model = Dbn(recipe, torch.full((6,), 0.5), torch.Generator())
    for value, chosen in zip(vars(model.layers[0]).values(), vars(machine()).values(), strict=True):
        value.copy_(chosen)
    stream = torch.Generator().manual_seed(2)
    data = every(6)[torch.randint(64, (ROWS,), generator=stream)].float()
    gradient = exact_gradient(model.layers[0], data)
    before = [value.clone() for value in vars(model.layers[0]).values()]
    model.update(data, Counters(), stream)
    for value, old, expected in zip(vars(model.layers[0]).values(), before, gradient, strict=True):
        change = (value - old) / recipe.learning_rate
        torch.testing.assert_close(change, expected, atol=FIVE_ERRORS, rtol=0)


def test_one_step_of_contrastive_divergence_is_the_obvious_one() -> None:
    """Two updates with momentum and decay, each image by itself."""
    model = started()
    layer, images = model.layers[0], digits()[:20]
    copy = [value.clone() for value in vars(layer).values()]
    velocity = [torch.zeros_like(value) for value in copy]
    for epoch, momentum in ((0, 0.5), (5, 0.9)):
        weight, hidden_bias, visible_bias = copy
        streams = [torch.Generator().manual_seed(7) for _ in range(2)]
        model.update(images, Counters(phase_epoch=epoch), streams[0])
        data, noise = [torch.rand(20, n, generator=streams[1]) for n in (64, 16)]
        gradient = [-1e-3 * weight, torch.zeros(16), torch.zeros(64)]
        binary = (data < images).float()
        first = torch.sigmoid(binary @ weight.T + hidden_bias)
        seen = torch.sigmoid((noise < first).float() @ weight + visible_bias)
        model_visible = (torch.rand(20, 64, generator=streams[1]) < seen).float()
        second = torch.sigmoid(model_visible @ weight.T + hidden_bias)
        for sign, visible, hidden in ((1, binary, first), (-1, model_visible, second)):
            for v, h in zip(visible, hidden, strict=True):
                for total, term in zip(gradient, (torch.outer(h, v), h, v), strict=True):
                    total += sign * term / 20
        velocity = [momentum * v + 0.1 * g for v, g in zip(velocity, gradient, strict=True)]
        copy = [value + change for value, change in zip(copy, velocity, strict=True)]
        for value, expected in zip(vars(layer).values(), copy, strict=True):
            torch.testing.assert_close(value, expected)


def test_persistent_chains_go_on_where_they_were() -> None:
    model = started(PERSISTENT)
    assert not model.particles[0].any()
    train(model, digits(), 1)
    first = model.particles[0].clone()
    assert set(first.unique().tolist()) == {0.0, 1.0}
    stream = torch.Generator().manual_seed(1)
    model.update(digits()[:20], Counters(phase_updates=1), stream)
    assert not torch.equal(first, model.particles[0])
    assert not model.particles[1].any()


def test_the_rate_falls_linearly_and_momentum_rises_after_five_epochs() -> None:
    recipe = SMALL.model_copy(update={"learning_rate": 0.1, "final_learning_rate": 0.03})
    rates = [started(recipe).rates(Counters(phase_epoch=epoch)) for epoch in range(1, 9)]
    assert [rate for rate, _ in rates] == pytest.approx([0.1 - 0.01 * epoch for epoch in range(8)])
    assert [momentum for _, momentum in rates] == [0.5] * 5 + [0.9] * 3


def test_the_first_machine_has_the_marginals() -> None:
    means = torch.tensor([0.0, 0.3, 1.0])
    model = Dbn(SMALL, means, torch.Generator().manual_seed(0))
    expected = torch.tensor([0.01, 0.3, 0.99])
    torch.testing.assert_close(model.layers[0].visible_bias.sigmoid(), expected)
    assert not model.layers[1].visible_bias.any()


def test_the_second_machine_takes_probabilities() -> None:
    """As its input is not drawn, only the two draws of contrastive divergence are left."""
    model, images = started(), digits()[:20]
    streams = [torch.Generator().manual_seed(3) for _ in range(2)]
    before = model.layers[0].weight.clone()
    model.update(images, Counters(phase=1), streams[0])
    for units in (12, 16):
        torch.rand(20, units, generator=streams[1])
    assert torch.equal(streams[0].get_state(), streams[1].get_state())
    assert torch.equal(before, model.layers[0].weight)


@pytest.mark.parametrize("recipe", [SMALL, PERSISTENT], ids=["cd", "pcd"])
def test_a_resumed_run_is_bitwise_equal(recipe: Settings) -> None:
    assert resumed_is_equal(started(recipe), started(recipe, seed=1), digits())


@pytest.mark.parametrize("recipe", [SMALL, PERSISTENT], ids=["cd", "pcd"])
def test_it_learns_the_digits(recipe: Settings) -> None:
    """Each pixel is told from all others better than by its marginal."""
    model, images = started(recipe.model_copy(update={"weight_decay": 0.0})), digits()
    train(model, images, 600, phase_updates=600)
    untrained = started()
    images = (images[:200] > 0.5).float()
    surprises = [_surprise(one.layers[0], images).item() for one in (model, untrained)]
    assert surprises[0] < 0.85 * surprises[1]


def _surprise(layer: TiedLayer, images: Tensor) -> Tensor:
    """-log p(one pixel | all others) summed over the pixels, nats, mean over the images."""
    total = torch.zeros(len(images))
    for pixel in range(images.shape[1]):
        flipped = images.clone()
        flipped[:, pixel] = 1 - flipped[:, pixel]
        energies = [dbn.free_energy(layer, side(layer, rows)) for rows in (images, flipped)]
        total += torch.nn.functional.softplus(energies[0] - energies[1])
    return total.mean()


def test_one_machine_is_sampled_from_its_distribution() -> None:
    recipe = Settings.model_validate({"layers": [{"units": 4, "epochs": 1, "inputs": "binary"}]})
    model = Dbn(recipe, torch.full((6,), 0.5), torch.Generator())
    for value, chosen in zip(vars(model.layers[0]).values(), vars(machine()).values(), strict=True):
        value.copy_(chosen)
    way = DbnChains(chains=ROWS, burn_in=60, start="noise", pixels="binary")
    samples = model.sample(ROWS, torch.Generator().manual_seed(0), torch.rand(9, 6), way)
    shares = torch.bincount(number(samples), minlength=64) / ROWS
    expected = log_probabilities(model.layers[0]).exp().float()
    torch.testing.assert_close(shares, expected, atol=FIVE_ERRORS, rtol=0)
    means = model.sample(
        ROWS, torch.Generator().manual_seed(0), torch.rand(9, 6), DbnChains(chains=ROWS, burn_in=60)
    )
    torch.testing.assert_close(means.mean(0), expected @ every(6).float(), atol=FIVE_ERRORS, rtol=0)


def test_the_top_machines_state_is_passed_down() -> None:
    """Certain hidden units below the top one make both ways of passing down the same."""
    model = started()
    upper = model.layers[1]
    upper.visible_bias.copy_(torch.where(torch.arange(16) % 2 == 0, 60.0, -60.0))
    state = (torch.arange(16) % 2 == 0).float()[None]
    for hidden in ("binary", "probabilities"):
        way = DbnChains(chains=5, hidden=hidden)
        samples = model.sample(5, torch.Generator().manual_seed(0), digits(), way)
        torch.testing.assert_close(samples, model.layers[0].decode(state).expand(5, 64))


@pytest.mark.parametrize("name", SMALL.ways)
def test_every_way_gives_as_many_samples_as_asked(name: str) -> None:
    three = {"units": 8, "epochs": 1, "inputs": "probabilities"}
    layers = [layer.model_dump() for layer in SMALL.layers]
    recipe = Settings.model_validate({"layers": [*layers, three]})
    way = recipe.ways[name].model_copy(update={"burn_in": 3})
    samples = started(recipe).sample(30, torch.Generator().manual_seed(0), digits(), way)
    assert samples.shape == (30, 64)
    assert set(samples.unique().tolist()) == {0.0, 1.0} or way.pixels == "means"
