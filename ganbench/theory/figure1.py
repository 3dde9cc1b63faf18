"""Figure 1 of the paper: a game on the line, played for real."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import special, stats

from ganbench.theory.config import Figure1
from ganbench.theory.densities import Normal
from ganbench.theory.descent import best_value_on_grid
from ganbench.theory.duel import Contestant, Draws, Duel
from ganbench.theory.families import LOG_4
from ganbench.theory.findings import Findings
from ganbench.theory.networks import Perceptron

DATA = Normal(1.5, 0.6)
EDGES = np.linspace(-1.5, 4.5, 181)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
DATA_MASS = np.diff(special.ndtr((EDGES - DATA.mean) / DATA.deviation))
QUANTILES = stats.norm.ppf((np.arange(50_000) + 0.5) / 50_000)  # equally likely z
ARROWS = stats.norm.ppf((np.arange(20) + 0.5) / 20)
MOMENTS = ("a) near convergence", "b) D trained on", "c) G trained on", "d) the end")
BOUNDS = {"best_value": 0.01, "undecided": 0.02}  # what a short game on the line comes to


class Snapshots:
    """States of every run over time."""

    def __init__(self) -> None:
        """Starts without any."""
        self._rows: dict[str, list[np.ndarray]] = {"mass": [], "learned": [], "arrows": []}

    @torch.no_grad()
    def take(self, duel: Duel) -> None:
        """Adds what p_g (as mass of cells), D and G of every run are now."""
        made = duel.generate(_rows(QUANTILES, duel))[..., 0].cpu().numpy()
        mass = [np.histogram(x, EDGES)[0] / len(QUANTILES) for x in made]
        self._rows["mass"].append(np.stack(mass))
        probabilities = torch.sigmoid(duel.judge(_rows(CENTRES, duel)))
        self._rows["learned"].append(probabilities.cpu().numpy())
        self._rows["arrows"].append(duel.generate(_rows(ARROWS, duel))[..., 0].cpu().numpy())

    def stack(self, name: str) -> Float[np.ndarray, "times runs k"]:
        """Returns "mass", "learned" or "arrows" at every time."""
        return np.stack(self._rows[name])


def study(settings: Figure1, seeds: Sequence[int], device: str) -> Findings:
    """Plays the game and keeps four moments, and the frames of an animation."""
    duel = _duel(settings, seeds, device)
    frames, moments = Snapshots(), Snapshots()
    _play(duel, settings, range(settings.warm_steps), frames)
    moments.take(duel)
    for _ in range(settings.settle_steps):
        duel.discriminator_step()
    moments.take(duel)
    duel.scale_learning_rate(settings.move_rate)
    for _ in range(settings.move_steps):
        duel.generator_step()
    moments.take(duel)
    _play(duel, settings, range(settings.warm_steps, settings.steps), frames)
    moments.take(duel)
    return _findings(frames, moments, seeds)


def _duel(settings: Figure1, seeds: Sequence[int], device: str) -> Duel:
    net = Perceptron((1, settings.width, settings.width, 1), "tanh")
    batch = settings.optimizer.batch_size
    real = Draws(
        seeds,
        "data_order",
        lambda n, rng: DATA.mean + DATA.deviation * torch.randn(n, 1, generator=rng),
        batch,
        device,
    )
    noise = Draws(seeds, "noise", lambda n, rng: torch.randn(n, 1, generator=rng), batch, device)
    runs = [Contestant("non_saturating", seed, settings.learning_rate) for seed in seeds]
    betas = settings.optimizer.beta1, settings.optimizer.beta2
    return Duel(runs, (net, net), (real, noise), betas, device)


def _play(duel: Duel, settings: Figure1, steps: range, frames: Snapshots) -> None:
    """Algorithm 1 with a falling learning rate; frames crowd at the start, where more happens."""
    times = np.unique(np.geomspace(1, settings.steps, settings.frames).round().astype(int)) - 1
    for step in steps:
        if step in times:
            frames.take(duel)
        duel.scale_learning_rate(1 - step / settings.steps)
        duel.train("alternating", settings.discriminator_steps, settings.discriminator_steps)


def _findings(frames: Snapshots, moments: Snapshots, seeds: Sequence[int]) -> Findings:
    findings = Findings(arrays={"x": CENTRES, "z": ARROWS, "data_mass": DATA_MASS})
    for name in ("mass", "learned", "arrows"):
        findings.arrays[f"moment_{name}"] = moments.stack(name)
        findings.arrays[f"frame_{name}"] = frames.stack(name)[:, 0].astype(np.float32)
    gaps, errors = [], []
    for column, seed in enumerate(seeds):
        for row, moment in enumerate(MOMENTS):
            mass, D = (moments.stack(name)[row, column] for name in ("mass", "learned"))
            gap = best_value_on_grid(DATA_MASS, mass) + LOG_4
            error = float(DATA_MASS @ np.abs(D - 0.5))
            findings.measure("figure1_gap", gap, seed=seed, moment=moment)
            findings.measure("figure1_indecision", error, "1", seed=seed, moment=moment)
        gaps.append(gap)
        errors.append(error)
    findings.claim_at_most(
        "figure1_generator_arrives",
        f"Figure 1: C(G) + log 4 at the end of a real game, worst of {len(seeds)} seeds",
        max(gaps),
        BOUNDS["best_value"],
    )
    findings.claim_at_most(
        "figure1_discriminator_undecided",
        "Figure 1: mean of |D - 1/2| under p_data at the end, worst seed",
        max(errors),
        BOUNDS["undecided"],
        unit="1",
    )
    return findings


def _rows(values: Float[np.ndarray, "n"], duel: Duel) -> Float[torch.Tensor, "runs n 1"]:
    """The same points for every run."""
    points = torch.tensor(values, dtype=torch.float32, device=duel.g.device)
    return points[None, :, None].expand(len(duel.g), -1, -1)
