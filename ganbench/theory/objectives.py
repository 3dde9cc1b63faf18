"""Objectives and k side by side in the plane, on equal budgets of discriminator examples."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganbench.config import Objective
from ganbench.errors import ConfigError
from ganbench.seeding import generator
from ganbench.theory.config import Game2D, Objectives, Setting
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.findings import Findings
from ganbench.theory.networks import Perceptron
from ganbench.theory.targets import Target, squared_discrepancy, target, wasserstein_1

REFERENCE_SEED = 0  # of the points of the data that every run is compared with
DECAYS = 100  # times at which the learning rate falls, on its way to 0
CRITIC_LOOKS = 20  # moments at which a critic's estimate is compared with the exact distance
CRITIC_POINTS = 500  # of data and of each run, for its estimate and the exact distance
SLOPE_POINTS = 64  # per axis, where a critic's steepest slope is looked for
REACH = 1.5  # of that grid, in multiples of the data's largest coordinate


@dataclass(frozen=True)
class Scores:
    """What a sample of one run is measured by, against points of the data."""

    modes: int
    good_share: float
    wasserstein: float
    squared_discrepancy: float


UNITS = {"modes": "modes", "good_share": "1", "wasserstein": "1", "squared_discrepancy": "1"}


def study(settings: Objectives, seeds: Sequence[int], device: str) -> Findings:
    """Chooses each objective's learning rate on seeds of its own, then compares the settings.

    Raises:
        ConfigError: a reported seed also chose a learning rate.
    """
    refuse_shared_seeds(seeds, settings.tuning_seeds)
    findings = Findings()
    rates = _tune(findings, settings, device)
    _compare(findings, settings, rates, seeds, device)
    return findings


def refuse_shared_seeds(seeds: Sequence[int], tuning_seeds: Sequence[int]) -> None:
    """Refuses seeds that are reported and also chose a learning rate.

    Raises:
        ConfigError: a seed is in both.
    """
    shared = set(seeds) & set(tuning_seeds)
    if shared:
        raise ConfigError(
            f"study: tuning_seeds: {min(shared)} is also a seed of the suite; choose others"
        )


def duel(game: Game2D, runs: Sequence[Contestant], device: str) -> Duel:
    """Returns the players of a game in the plane at their start."""
    goal = target(game.target, game.deviation)
    seeds = [run.seed for run in runs]
    batch = game.optimizer.batch_size
    networks = (
        Perceptron((game.noise_dim, game.width, game.width, 2)),
        Perceptron((2, game.width, game.width, 1)),
    )
    draws = (
        Draws(seeds, "data_order", goal.sample, batch, device),
        Draws(
            seeds,
            "noise",
            lambda n, rng: torch.randn(n, game.noise_dim, generator=rng),
            batch,
            device,
        ),
    )
    betas = game.optimizer.beta1, game.optimizer.beta2
    return Duel(runs, networks, draws, betas, device, game.weight_clip)


def samples(
    players: Duel, game: Game2D, seeds: Sequence[int], count: int
) -> Float[np.ndarray, "runs n 2"]:
    """Returns samples of every run, from noise that training never sees."""
    noise = [
        torch.randn(count, game.noise_dim, generator=generator(seed, "sampling")) for seed in seeds
    ]
    with torch.no_grad():
        return players.generate(torch.stack(noise).to(players.g.device)).cpu().double().numpy()


def reference(goal: Target, count: int) -> Float[np.ndarray, "n 2"]:
    """Returns points of the data, the same for every run."""
    return goal.sample(count, generator(REFERENCE_SEED, "monitoring")).double().numpy()


def score(goal: Target, made: Float[np.ndarray, "n 2"], real: Float[np.ndarray, "n 2"]) -> Scores:
    """Measures one run's samples against points of the data."""
    modes, good = goal.coverage(made)
    return Scores(modes, good, wasserstein_1(made, real), squared_discrepancy(made, real))


def train(players: Duel, setting: Setting, steps: int, watch: "CriticWatch | None" = None) -> None:
    """Trains with a learning rate that falls linearly to 0; every `k` D-steps one of G."""
    for decay in range(DECAYS):
        players.scale_learning_rate(1 - decay / DECAYS)
        players.train(setting.update, setting.k, steps // DECAYS)
        if watch and (decay + 1) % (DECAYS // CRITIC_LOOKS) == 0:
            watch.look()


def _tune(findings: Findings, settings: Objectives, device: str) -> dict[Objective, float]:
    """Returns each objective's rate of least mean Wasserstein distance, by the paper's updates."""
    objectives: list[Objective] = list(dict.fromkeys(s.objective for s in settings.settings))
    runs = [
        Contestant(objective, seed, rate)
        for objective in objectives
        for rate in settings.learning_rates
        for seed in settings.tuning_seeds
    ]
    players = duel(settings.game, runs, device)
    train(players, settings.settings[0], settings.steps)
    goal = target(settings.game.target, settings.game.deviation)
    real = reference(goal, settings.samples)
    made = samples(players, settings.game, [run.seed for run in runs], settings.samples)
    distances: dict[tuple[Objective, float], list[float]] = {}
    for run, points in zip(runs, made, strict=True):
        distance = wasserstein_1(points, real) if np.isfinite(points).all() else np.inf
        distances.setdefault((run.objective, run.learning_rate), []).append(distance)
    means = {key: float(np.mean(values)) for key, values in distances.items()}
    for (objective, rate), mean in means.items():
        if np.isfinite(mean):
            findings.measure(
                "tuning_wasserstein", mean, "1", objective=objective, learning_rate=rate
            )
    return {
        objective: min(settings.learning_rates, key=lambda rate: means[objective, rate])
        for objective in objectives
    }


def _compare(
    findings: Findings,
    settings: Objectives,
    rates: dict[Objective, float],
    seeds: Sequence[int],
    device: str,
) -> None:
    goal = target(settings.game.target, settings.game.deviation)
    real = reference(goal, settings.samples)
    findings.arrays |= {"centres": goal.centres, "real": real.astype(np.float32)}
    watches = []
    for update, k in dict.fromkeys((s.update, s.k) for s in settings.settings):
        together = [s for s in settings.settings if (s.update, s.k) == (update, k)]
        together.sort(key=lambda setting: setting.objective)
        runs = [Contestant(s.objective, n, rates[s.objective]) for s in together for n in seeds]
        players = duel(settings.game, runs, device)
        watch = CriticWatch(players, runs, settings.game, real)
        train(players, together[0], settings.steps, watch)
        made = samples(players, settings.game, [run.seed for run in runs], settings.samples)
        for row, setting in enumerate(together):
            own = made[row * len(seeds) : (row + 1) * len(seeds)]
            _report(findings, setting, rates[setting.objective], seeds, own, goal, real)
            index = settings.settings.index(setting)
            findings.arrays[f"samples_{index}"] = own[0].astype(np.float32)
            if setting.objective == "wasserstein":
                findings.arrays[f"critic_{index}"] = np.array(watch.rows)
                watches.append(np.array(watch.rows))
    if watches:
        _critic_claim(findings, np.concatenate(watches))


def _report(
    findings: Findings,
    setting: Setting,
    rate: float,
    seeds: Sequence[int],
    made: Float[np.ndarray, "seeds n 2"],
    goal: Target,
    real: Float[np.ndarray, "n 2"],
) -> None:
    labels = setting_labels(setting, rate)
    for seed, points in zip(seeds, made, strict=True):
        finite = bool(np.isfinite(points).all())
        findings.measure("diverged", not finite, "runs", seed=seed, **labels)
        if finite:
            for name, value in asdict(score(goal, points, real)).items():
                findings.measure(name, value, UNITS[name], seed=seed, **labels)


def setting_labels(setting: Setting, rate: float) -> dict[str, str | int | float]:
    """Returns what tells the metrics of one setting from the others'."""
    return {
        "setting": setting.name,
        "objective": setting.objective,
        "update": setting.update,
        "k": setting.k,
        "learning_rate": rate,
    }


class CriticWatch:
    """What Wasserstein critics estimate during training, beside the exact distance.

    A critic f estimates K W_1 by mean f(real) - mean f(fake); clipping bounds its Lipschitz
    constant K but does not fix it. Kantorovich and Rubinstein: on the same points, the estimate
    over K is at most W_1.
    """

    def __init__(
        self,
        players: Duel,
        runs: Sequence[Contestant],
        game: Game2D,
        real: Float[np.ndarray, "n 2"],
    ) -> None:
        """Watches the Wasserstein runs among `runs`, if any."""
        self._players, self._game = players, game
        self._runs = [row for row, run in enumerate(runs) if run.objective == "wasserstein"]
        self._seeds = [run.seed for run in runs]
        self._real = real[:CRITIC_POINTS]
        self.rows: list[Float[np.ndarray, "runs 4"]] = []

    def look(self) -> None:
        """Adds estimate, steepest slope seen, bound on K and exact distance of every critic."""
        if not self._runs:
            return
        fake = samples(self._players, self._game, self._seeds, len(self._real))
        real = torch.tensor(self._real, dtype=torch.float32, device=self._players.d.device)
        with torch.no_grad():
            on_real = self._players.judge(real.expand(len(fake), -1, -1)).mean(dim=1)
            made = torch.tensor(fake, dtype=torch.float32, device=real.device)
            on_fake = self._players.judge(made).mean(dim=1)
        estimates = (on_real - on_fake).cpu().numpy()
        slopes, bounds = self._steepest(), self._players.D.lipschitz_bound(self._players.d)
        self.rows.append(
            np.array(
                [
                    (
                        estimates[row],
                        slopes[row].item(),
                        bounds[row].item(),
                        wasserstein_1(fake[row], self._real),
                    )
                    for row in self._runs
                ]
            )
        )

    def _steepest(self) -> Float[Tensor, "runs"]:
        """The largest gradient norm over a grid that covers the data and its surroundings."""
        reach = REACH * float(np.abs(self._real).max())
        line = torch.linspace(-reach, reach, SLOPE_POINTS)
        grid = torch.cartesian_prod(line, line).to(self._players.d.device)
        points = grid.expand(len(self._seeds), -1, -1).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self._players.judge(points).sum(), points)
        return gradient.norm(dim=2).amax(dim=1)


def _critic_claim(findings: Findings, rows: Float[np.ndarray, "looks runs 4"]) -> None:
    estimate, slope, bound, exact = np.moveaxis(rows, -1, 0)
    findings.claim_at_most(
        "critic_below_distance",
        f"Wasserstein critics: estimate over a bound on their slope and over the exact distance, "
        f"largest of {estimate.size}",
        float((estimate / bound / exact).max()),
        1.0,
        unit="1",
    )
    # a critic whose units are all off has no slope, and estimates 0
    alive = slope[-1] > 0
    shares = estimate[-1, alive] / slope[-1, alive] / exact[-1, alive]
    if alive.any():
        findings.measure("critic_share_of_distance", float(shares.mean()), "1")
