"""Networks trained side by side: their layers, their optimiser and who moves when."""

import pytest
import torch

from ganbench.theory import images, objectives
from ganbench.theory.config import Game2D, ImageGame, Optimizer
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.networks import Adam, Perceptron

FLOAT32 = 1e-5  # a few hundred float32 operations on numbers of order one
GAME = Game2D(
    target="ring",
    deviation=0.1,
    noise_dim=3,
    width=8,
    weight_clip=0.05,
    optimizer=Optimizer(batch_size=16),
)


def duel(runs, game=GAME):
    return objectives.duel(game, runs, "cpu")


def test_perceptron_equals_a_loop_of_torch_layers():
    net = Perceptron((2, 5, 4, 1), "tanh")
    parameters = net.initial([3, 7], player=0)
    x = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))
    actual = net(parameters, x)
    for run in range(2):
        hidden, start = x[run], 0
        for layer, (i, o) in enumerate([(2, 5), (5, 4), (4, 1)]):
            weight = parameters[run, start : start + i * o].reshape(i, o)
            hidden = hidden @ weight + parameters[run, start + i * o : start + i * o + o]
            hidden = hidden.tanh() if layer < 2 else hidden
            start += i * o + o
        torch.testing.assert_close(actual[run], hidden, rtol=0, atol=FLOAT32)
    assert net.size == parameters.shape[1]


def test_equal_seeds_get_equal_weights_and_players_differ():
    net = Perceptron((2, 5, 1))
    rows = net.initial([1, 2, 1], player=0)
    assert torch.equal(rows[0], rows[2])
    assert not torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], net.initial([1], player=1)[0])


def test_no_slope_exceeds_the_lipschitz_bound():
    net = Perceptron((2, 16, 16, 1))
    parameters = net.initial([0, 1], player=1)
    x = torch.randn(2, 200, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(net(parameters, x).sum(), x)
    assert (gradient.norm(dim=2).amax(dim=1) <= net.lipschitz_bound(parameters)).all()


def test_adam_equals_torch_adam():
    start = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    mine, theirs = start.clone(), torch.nn.Parameter(start.clone())
    adam, reference = Adam(mine, 0.5, 0.9), torch.optim.Adam([theirs], lr=0.01, betas=(0.5, 0.9))
    for step in range(5):
        gradient = torch.sin(start * (step + 1))
        adam.step(gradient, 0.01)
        theirs.grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(mine, theirs.detach(), rtol=0, atol=1e-6)


def test_a_run_does_not_depend_on_the_runs_beside_it():
    crowd = [
        Contestant("hinge", 5, 0.01),
        Contestant("minimax", 5, 0.003),
        Contestant("wasserstein", 5, 0.001),
        Contestant("wasserstein", 6, 0.001),
    ]
    together = duel(crowd)
    together.train("alternating", 2, 6)
    for row, run in enumerate(crowd):
        alone = duel([run])
        alone.train("alternating", 2, 6)
        torch.testing.assert_close(together.g[row], alone.g[0], rtol=0, atol=1e-4)
        torch.testing.assert_close(together.d[row], alone.d[0], rtol=0, atol=1e-4)


def test_a_game_is_repeatable_bit_for_bit():
    first, second = (duel([Contestant("non_saturating", 0, 0.01)]) for _ in range(2))
    for players in (first, second):
        players.train("simultaneous", 1, 5)
    assert torch.equal(first.g, second.g)


def test_k_counts_discriminator_steps_per_generator_step():
    players = duel([Contestant("minimax", 0, 0.01)])
    before_g, before_d = players.g.clone(), players.d.clone()
    players.train("alternating", 5, 4)
    assert torch.equal(players.g, before_g)
    assert not torch.equal(players.d, before_d)
    players.train("alternating", 5, 5)
    assert not torch.equal(players.g, before_g)


def test_simultaneous_gradients_come_from_the_same_parameters():
    runs = [Contestant("non_saturating", 0, 1e-3)]
    players, other = duel(runs), duel(runs)
    noise = other.noise.next()
    expected = other.generator_gradient(noise)
    players.simultaneous_step()
    moved = players.g - duel(runs).g
    # the first step of Adam is the rate times the sign of the gradient
    clear = expected.abs() > 1e-4
    torch.testing.assert_close(moved[clear], -1e-3 * expected[clear].sign(), rtol=1e-2, atol=1e-6)


def test_a_wasserstein_critic_stays_clipped_and_the_others_do_not():
    players = duel([Contestant("minimax", 0, 0.05), Contestant("wasserstein", 0, 0.05)])
    players.train("simultaneous", 1, 5)
    assert players.d[1].abs().max() <= GAME.weight_clip
    assert players.d[0].abs().max() > GAME.weight_clip


def test_a_slowed_game_takes_smaller_steps():
    quick, slow = (duel([Contestant("minimax", 0, 0.01)]) for _ in range(2))
    start = quick.d.clone()
    slow.scale_learning_rate(0.1)
    quick.discriminator_step()
    slow.discriminator_step()
    torch.testing.assert_close(slow.d - start, 0.1 * (quick.d - start), rtol=1e-3, atol=1e-7)


def dropping_duel(keep):
    def masks(count, rng):
        return (torch.rand(count, 2 * GAME.width, generator=rng) < keep).float() / keep

    plain = duel([Contestant("minimax", 0, 0.01)])
    drops = Draws([0], "dropout", masks, GAME.optimizer.batch_size, "cpu")
    draws = plain.real, plain.noise
    runs = [Contestant("minimax", 0, 0.01)]
    return Duel(runs, (plain.G, plain.D), draws, (0.0, 0.9), "cpu", dropout=drops)


def test_dropout_changes_updates_and_nothing_else():
    plain, whole, half = (
        duel([Contestant("minimax", 0, 0.01)]),
        dropping_duel(1.0),
        dropping_duel(0.5),
    )
    points = plain.real.next()
    assert torch.equal(half.judge(points), plain.judge(points))
    for players in (plain, whole, half):
        players.real = duel([Contestant("minimax", 0, 0.01)]).real
        players.train("alternating", 1, 3)
    assert torch.equal(whole.d, plain.d)
    assert torch.equal(whole.g, plain.g)
    assert not torch.equal(half.d, plain.d)
    assert not torch.equal(half.g, plain.g)


def test_draws_are_shared_by_equal_seeds_and_go_on_past_a_block():
    def sampler(count, rng):
        return torch.rand(count, 1, generator=rng)

    draws = Draws([4, 9, 4], "noise", sampler, 2, "cpu")
    seen = [draws.next() for _ in range(150)]
    assert all(torch.equal(one[0], one[2]) and not torch.equal(one[0], one[1]) for one in seen)
    assert len({tuple(one[0].flatten().tolist()) for one in seen}) == 150


def test_masks_leave_out_the_asked_part_and_keep_the_mean():
    game = ImageGame(
        dataset="digits",
        noise_dim=2,
        width=50,
        weight_clip=0.1,
        dropout=0.2,
        optimizer=Optimizer(batch_size=4),
    )
    masks = images._masks(game, 1000, torch.Generator().manual_seed(0))
    assert masks.unique().tolist() == pytest.approx([0, 1.25])
    assert masks.mean().item() == pytest.approx(1, abs=0.01)  # 100,000 draws: sd 0.0016
