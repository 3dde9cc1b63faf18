"""Networks, games and measures in the plane."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from ganbench.errors import ConfigError
from ganbench.theory import figure1, helvetica, images, objectives, saturation
from ganbench.theory.config import (
    Game2D,
    Helvetica,
    ImageGame,
    Objectives,
    Optimizer,
    Saturation,
    Setting,
)
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.networks import Adam, Perceptron
from ganbench.theory.targets import squared_discrepancy, target, wasserstein_1

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
    found = net(parameters, x)
    for run in range(2):
        hidden, start = x[run], 0
        for layer, (i, o) in enumerate([(2, 5), (5, 4), (4, 1)]):
            weight = parameters[run, start : start + i * o].reshape(i, o)
            hidden = hidden @ weight + parameters[run, start + i * o : start + i * o + o]
            hidden = hidden.tanh() if layer < 2 else hidden
            start += i * o + o
        torch.testing.assert_close(found[run], hidden, rtol=0, atol=FLOAT32)
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
    slow.slow_to(0.1)
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


def test_coverage_counts_modes_and_good_samples():
    ring = target("ring", 0.1)
    samples = np.repeat(ring.centres[:3], [40, 40, 2], axis=0)
    far = np.full((18, 2), 9.0)
    modes, good = ring.coverage(np.concatenate([samples, far]))
    # a mode needs a tenth of its share of 100 / 8 samples: two suffice
    assert (modes, good) == (3, 0.82)
    assert ring.coverage(np.concatenate([samples[:81], far, far[:1]]))[0] == 2


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_samples_of_a_target_cover_it(name, modes):
    goal = target(name, 0.05)
    points = goal.sample(4000, torch.Generator().manual_seed(0)).double().numpy()
    covered, good = goal.coverage(points)
    assert covered == modes
    assert good == pytest.approx(stats.chi2.cdf(9, 2), abs=0.01)  # 4,000 draws: sd 0.0016


def test_wasserstein_equals_the_best_of_all_pairings_and_a_shift():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    slow = min(
        np.mean(np.linalg.norm(x - y[list(order)], axis=1))
        for order in itertools.permutations(range(5))
    )
    assert wasserstein_1(x, y) == pytest.approx(slow, rel=1e-12)
    assert wasserstein_1(x, x + np.array([3.0, 4.0])) == pytest.approx(5, rel=1e-12)
    assert wasserstein_1(x, x) == 0


def test_squared_discrepancy_equals_a_double_loop_and_vanishes_on_average():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2)) + 1

    def kernel(a, b):
        return sum(np.exp(-np.sum((a - b) ** 2) / (2 * h**2)) for h in (0.1, 0.5, 2.0))

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
        for s in (x, y)
    ]
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert squared_discrepancy(x, y) == pytest.approx(sum(within) - 2 * between, rel=1e-12)
    same = [squared_discrepancy(*rng.normal(size=(2, 40, 2))) for _ in range(200)]
    assert abs(np.mean(same)) < 4.5 * np.std(same) / np.sqrt(200)


@pytest.mark.parametrize("shift", [0.3, 1.0, 4.0])
def test_exact_gradients_are_those_of_automatic_differentiation(shift):
    z = torch.tensor(stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000))
    mean = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    logit = -shift * (mean + z) + shift**2 / 2  # of D*, held fixed
    minimax = torch.nn.functional.logsigmoid(-logit).mean()
    non_saturating = -torch.nn.functional.logsigmoid(logit).mean()
    slow = [torch.autograd.grad(f, mean, retain_graph=True)[0] for f in (minimax, non_saturating)]
    assert saturation.exact_gradients(shift) == pytest.approx([s.item() for s in slow], abs=1e-4)


def test_saturation_study_shows_the_minimax_gradient_fade():
    found = saturation.study(
        Saturation(
            kind="saturation",
            width=8,
            learning_rate=0.01,
            optimizer=Optimizer(batch_size=32),
            steps=150,
            points=256,
        ),
        [0, 1],
        "cpu",
    )
    claims = {m.name: m for m in found.metrics if "bound" in m.labels}
    assert claims["minimax_descends_jsd"].value < 1e-6
    assert claims["non_saturating_descends"].value < 1e-6
    assert claims["shared_fixed_point"].value == 0
    assert claims["saturation"].value > 10
    # with D near 1/2 at the start the two losses push alike
    first = found.arrays["trained_non_saturating"][0] / found.arrays["trained_minimax"][0]
    assert ((first > 0.5) & (first < 2)).all()


def test_generated_mass_of_an_affine_generator_is_that_of_its_normal():
    affine, draws = Perceptron((1, 1)), Draws([0], "noise", torch.rand, 2, "cpu")
    runs = [Contestant("minimax", 0, 0.01)]
    players = Duel(runs, (affine, affine), (draws, draws), (0.0, 0.9), "cpu")
    players.g.copy_(torch.tensor([[0.6, 1.5]]))
    shots = figure1.Snapshots()
    shots.take(players)
    found = shots.stack("mass")[0, 0]
    np.testing.assert_allclose(found, figure1.DATA_MASS, atol=2e-4)  # 50,000 points of z


def test_a_reported_seed_may_not_choose_the_learning_rate():
    with pytest.raises(ConfigError, match="tuning_seeds: 1 is also a seed of the suite"):
        objectives.study(small_objectives(), [0, 1], "cpu")


def small_objectives():
    return Objectives(
        kind="objectives",
        game=GAME,
        steps=100,
        learning_rates=(0.001, 0.01),
        tuning_seeds=(1,),
        settings=(
            Setting(objective="non_saturating", update="simultaneous"),
            Setting(objective="wasserstein", update="alternating"),
            Setting(objective="minimax", update="alternating", k=2),
        ),
        samples=60,
    )


def test_objectives_study_scores_every_setting_and_seed():
    found = objectives.study(small_objectives(), [0, 2], "cpu")
    for name in ("modes", "good_share", "wasserstein", "squared_discrepancy"):
        rows = [m for m in found.metrics if m.name == name]
        assert {(m.labels["setting"], m.labels["seed"]) for m in rows} == {
            (setting.name, seed) for setting in small_objectives().settings for seed in (0, 2)
        }
    claim = next(m for m in found.metrics if m.name == "critic_below_distance")
    assert claim.value <= 1
    assert found.arrays["critic_1"].shape == (20, 2, 4)


def test_tuning_takes_the_rate_of_least_distance():
    found = objectives.study(small_objectives(), [0], "cpu")
    tuned = {
        (m.labels["objective"], m.labels["learning_rate"]): m.value
        for m in found.metrics
        if m.name == "tuning_wasserstein"
    }
    for metric in found.metrics:
        if metric.name == "modes":
            objective, rate = metric.labels["objective"], metric.labels["learning_rate"]
            assert tuned[objective, rate] == min(tuned[objective, r] for r in (0.001, 0.01))


def test_helvetica_study_freezes_the_discriminator():
    found = helvetica.study(
        Helvetica(
            kind="helvetica",
            game=GAME,
            objective="minimax",
            learning_rate=0.002,
            warm_steps=10,
            frozen_steps=10,
            recovery_steps=10,
            measure_every=5,
            samples=50,
        ),
        [0, 1],
        "cpu",
    )
    frozen, before = (found.arrays[f"{phase}_discriminator"] for phase in ("D_frozen", "in_step"))
    np.testing.assert_array_equal(frozen, before)
    assert not np.array_equal(found.arrays["in_step_again_discriminator"], frozen)
    assert not np.array_equal(found.arrays["D_frozen_generator"], found.arrays["in_step_generator"])
    assert found.arrays["history"].shape == (len(found.arrays["times"]), 2, 5)


def test_mean_distance_of_a_square():
    corners = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    assert helvetica.mean_distance(corners) == pytest.approx((4 + 2 * np.sqrt(2)) / 6)


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
