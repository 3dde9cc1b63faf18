"""The rivals do the work that they are timed for."""

import math

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed

from ganbench.bench import floor, rivals, updates
from ganbench.bench.contest import Contest, measure
from ganbench.seeding import generator
from ganbench.training import networks

# float32 sums in another order.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
ROWS = 4


@pytest.mark.parametrize("name", ["digits", "cifar10_conv"])
def test_discriminator_is_ours(name: str) -> None:
    settings = updates.experiment(name).discriminator
    data = updates.images(updates.experiment(name), count=ROWS)
    ours = networks.build_discriminator(settings, data.shape, generator(0, "init"))
    theirs = rivals.build_discriminator(settings, data.shape).eval()
    ours.keep = [1.0] * len(ours.layers)
    holders = [
        module for module in theirs.modules() if next(module.parameters(False), None) is not None
    ]
    for module, layer in zip(holders, ours.layers, strict=True):
        module.weight.data = _unit_major(layer.weight).view_as(module.weight)
        module.bias.data = torch.rand_like(module.bias)
        bias = module.bias.data.view(layer.bias.shape[::-1])
        layer.bias.data = bias.T.contiguous() if bias.dim() == 2 else bias
    rows, zero = data.rows(), torch.tensor(0)
    torch.testing.assert_close(theirs(rows), ours(rows, zero, zero), **TOLERANCE)


def _unit_major(weight: torch.Tensor) -> torch.Tensor:
    """Ours has the pieces first, [P, U, D]; convolutions and single maps are alike."""
    return weight.data.transpose(0, 1).contiguous() if weight.dim() == 3 else weight.data


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_generator_has_the_sizes_of_ours(name: str) -> None:
    settings = updates.experiment(name)
    data = updates.images(settings, count=ROWS)
    ours = networks.build_generator(
        settings.generator, data.shape, data.pixel_means(), generator(0, "init")
    )
    theirs = rivals.build_generator(settings.generator, data.shape)
    sizes = [sum(parameter.numel() for parameter in one.parameters()) for one in (ours, theirs)]
    assert sizes[0] == sizes[1]
    assert theirs(torch.rand(ROWS, 100)).shape == (ROWS, math.prod(data.shape))


@pytest.mark.parametrize("autocast", [False, True])
def test_both_players_learn(autocast: bool) -> None:
    settings = updates.experiment("digits", learning_rate=0.01, max_column_norm=0.5)
    data = updates.images(settings)
    loop = rivals.PlainLoop(settings, data.rows(), data.shape, autocast=autocast)
    before = [parameter.detach().clone() for parameter in loop.parameters()]
    loop.update(updates.batch(settings))
    after = list(loop.parameters())
    # The parts of the logit's bias cancel in bfloat16, where sigmoids near 0.5 are few.
    moved = [bool((old != new).any()) for old, new in zip(before, after, strict=True)]
    assert all(did or new.dim() == 1 for did, new in zip(moved, after, strict=True))
    assert all(parameter.dtype == torch.float32 for parameter in after)
    for network in (loop.generator, loop.discriminator):
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                assert module.weight.norm(dim=1).max() <= 0.5 + TOLERANCE["rtol"]


def test_jax_makes_the_same_step() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed (extra: rivals)")
    from ganbench.bench import rivals_jax

    settings = updates.experiment("digits")
    all_kept = {"input_keep": 1.0, "hidden_keep": 1.0}
    discriminator = settings.discriminator.model_copy(update=all_kept)
    settings = settings.model_copy(update={"discriminator": discriminator})
    data = updates.images(settings)
    theirs = rivals_jax.JaxLoop(settings, data.rows().numpy())
    plain = rivals.PlainLoop(settings, data.rows(), data.shape)
    names = ("generator", "discriminator")
    for network, layers in zip(names, theirs.state[0], strict=True):
        for module, layer in zip(_linear(getattr(plain, network)), layers, strict=True):
            module.weight.data = torch.tensor(layer["weight"].T.tolist())
    key = jax.random.split(jax.random.split(theirs.key)[1], 3)[0]
    bound = math.sqrt(3)
    index = updates.batch(settings)
    noise = jax.random.uniform(key, (len(index), 100), minval=-bound, maxval=bound)
    theirs.update(index.numpy())
    plain.step(data.rows(index), torch.tensor(noise.tolist()))
    for network, layers in zip(names, theirs.state[0], strict=True):
        for module, layer in zip(_linear(getattr(plain, network)), layers, strict=True):
            expected = torch.tensor(layer["weight"].T.tolist())
            torch.testing.assert_close(module.weight.detach(), expected, **TOLERANCE)


def _linear(network: torch.nn.Module) -> list[torch.nn.Linear]:
    return [module for module in network.modules() if isinstance(module, torch.nn.Linear)]


def test_floor_computes_its_products() -> None:
    wanted = [floor.Product("forward", 4, 3, 5), floor.Product("weight", 5, 4, 3)]
    prepared = [floor._operands(product, torch.float32) for product in wanted]
    assert [tuple(out.shape) for _, _, out in prepared] == [(4, 5), (5, 3)]
    assert not prepared[0][1].is_contiguous()
    assert not prepared[1][0].is_contiguous()
    floor.floor(wanted, torch.bfloat16)()
    assert floor.products(updates.experiment("cifar10_conv"), 3072) is None


def test_a_rival_that_cannot_be_compiled_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = updates.experiment("digits")
    data = updates.images(settings)

    def fails(_: torch.Tensor) -> None:
        raise BackendCompilerFailed(fails, ValueError("no such range"), None)

    loops = {"plain": lambda _: None, "compiled": fails}
    monkeypatch.setattr(updates.rivals, "torch_rivals", lambda *_: loops)
    calls, absent = updates.rival_updates(settings, data)
    assert "plain" in calls
    assert "compiled" not in calls
    assert absent["compiled"] == "torch.compile fails (ValueError: no such range)"


def test_absent_rivals_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert updates.no_jax(updates.experiment("cifar10_conv")) is not None
    monkeypatch.setattr(updates, "find_spec", lambda _: None)
    reason = updates.no_jax(updates.experiment("mnist"))
    assert reason == "JAX is not installed (extra: rivals)"


def test_a_contest_has_every_number_of_a_row() -> None:
    done = []
    call = lambda: done.append(sum(range(20_000)))  # noqa: E731
    threads = torch.get_num_threads()
    call_info = Contest("g", "w", call, {"same": call}, 3, 7, absent={"x": "why"}, shapes="7 x 1")
    info = measure(call_info)
    same = info["rivals"]["same"]
    assert same["ratio"] == pytest.approx(same["ms"] / info["ours_ms"])
    assert (info["times"], info["shapes"]) == ("median", "7 x 1")
    assert torch.get_num_threads() == threads
    assert info["rivals"].keys() == {"same"}
    assert info["images_per_s"] == pytest.approx(7 * info["calls_per_s"])
    assert info["absent"] == {"x": "why"}
    assert info["device"]
    assert info["versions"]["torch"] == torch.__version__
