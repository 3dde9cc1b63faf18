"""Measures in the plane, gradients that fade, and the studies made of games."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from ganbench.errors import ConfigError
from ganbench.theory import figure1, helvetica, objectives, saturation
from ganbench.theory.config import Game2D, Helvetica, Objectives, Optimizer, Saturation, Setting
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.networks import Perceptron
from ganbench.theory.targets import squared_discrepancy, target, wasserstein_1

GAME = Game2D(
    target="ring",
    deviation=0.1,
    noise_dim=3,
    width=8,
    weight_clip=0.05,
    optimizer=Optimizer(batch_size=16),
)


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
    actual = saturation.study(
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
    claims = {m.name: m for m in actual.metrics if "bound" in m.labels}
    assert claims["minimax_descends_jsd"].value < 1e-6
    assert claims["non_saturating_descends"].value < 1e-6
    assert claims["shared_fixed_point"].value == 0
    assert claims["saturation_1d"].value > 10
    # with D near 1/2 at the start the two losses push alike
    first = actual.arrays["trained_non_saturating"][0] / actual.arrays["trained_minimax"][0]
    assert ((first > 0.5) & (first < 2)).all()


def test_generated_mass_of_an_affine_generator_is_that_of_its_normal():
    affine, draws = Perceptron((1, 1)), Draws([0], "noise", torch.rand, 2, "cpu")
    runs = [Contestant("minimax", 0, 0.01)]
    players = Duel(runs, (affine, affine), (draws, draws), (0.0, 0.9), "cpu")
    players.g.copy_(torch.tensor([[0.6, 1.5]]))
    shots = figure1.Snapshots()
    shots.take(players)
    actual = shots.stack("mass")[0, 0]
    np.testing.assert_allclose(actual, figure1.DATA_MASS, atol=2e-4)  # 50,000 points of z


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
    actual = objectives.study(small_objectives(), [0, 2], "cpu")
    for name in ("modes", "good_share", "wasserstein", "squared_discrepancy"):
        rows = [m for m in actual.metrics if m.name == name]
        assert {(m.labels["setting"], m.labels["seed"]) for m in rows} == {
            (setting.name, seed) for setting in small_objectives().settings for seed in (0, 2)
        }
    claim = next(m for m in actual.metrics if m.name == "critic_below_distance")
    assert claim.value <= 1
    assert actual.arrays["critic_1"].shape == (20, 2, 4)


def test_tuning_takes_the_rate_of_least_distance():
    actual = objectives.study(small_objectives(), [0], "cpu")
    tuned = {
        (m.labels["objective"], m.labels["learning_rate"]): m.value
        for m in actual.metrics
        if m.name == "tuning_wasserstein"
    }
    for metric in actual.metrics:
        if metric.name == "modes":
            objective, rate = metric.labels["objective"], metric.labels["learning_rate"]
            assert tuned[objective, rate] == min(tuned[objective, r] for r in (0.001, 0.01))


def test_helvetica_study_freezes_the_discriminator():
    actual = helvetica.study(
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
    frozen, before = (actual.arrays[f"{phase}_discriminator"] for phase in ("D_frozen", "in_step"))
    np.testing.assert_array_equal(frozen, before)
    assert not np.array_equal(actual.arrays["in_step_again_discriminator"], frozen)
    assert not np.array_equal(
        actual.arrays["D_frozen_generator"], actual.arrays["in_step_generator"]
    )
    assert actual.arrays["history"].shape == (len(actual.arrays["times"]), 2, 5)


def test_mean_distance_of_a_square():
    corners = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    assert helvetica.mean_distance(corners) == pytest.approx((4 + 2 * np.sqrt(2)) / 6)
