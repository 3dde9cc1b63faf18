"""The Helvetica scenario: G trained on against a D that stands still maps many z to few x."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import spatial

from ganbench.evaluation.diversity import COLLAPSED, collapse_share
from ganbench.theory.config import Helvetica
from ganbench.theory.duel import Contestant, Duel
from ganbench.theory.findings import Findings
from ganbench.theory.objectives import duel, reference, samples
from ganbench.theory.targets import target

PHASES = ("in step", "D frozen", "in step again")
QUANTITIES = ("diversity", "modes", "good_share", "value", "fooled")
UNITS = {"diversity": "1", "modes": "modes", "good_share": "1", "value": "nats", "fooled": "1"}
COLLAPSED_SPREAD = 0.1  # of the data's mean distance between two points: many z share few x
FEW = 4  # modes of the ring's 8
KEPT = 0.8  # of the mean distance, by a generator that has not collapsed


class Watch:
    """Measures every run from time to time."""

    def __init__(self, settings: Helvetica, seeds: Sequence[int]) -> None:
        """Draws the points of the data that diversity and V are measured with."""
        self._settings, self._seeds = settings, seeds
        self._goal = target(settings.game.target, settings.game.deviation)
        self.real = reference(self._goal, settings.samples)
        self._spread = mean_distance(self.real)
        self.times: list[int] = []
        self.rows: list[Float[np.ndarray, "runs quantities"]] = []

    def look(self, players: Duel, time: int) -> None:
        """Adds diversity, modes, share of good samples, V and D(G(z)) of every run."""
        made = samples(players, self._settings.game, self._seeds, self._settings.samples)
        on_real, on_fake = (
            _logits(players, points) for points in (np.stack([self.real] * len(made)), made)
        )
        value = -np.logaddexp(0, -on_real).mean(axis=1) - np.logaddexp(0, on_fake).mean(axis=1)
        fooled = (1 / (1 + np.exp(-on_fake))).mean(axis=1)
        self.times.append(time)
        self.rows.append(
            np.array(
                [
                    (mean_distance(x) / self._spread, *self._goal.coverage(x), v, f)
                    for x, v, f in zip(made, value, fooled, strict=True)
                ]
            )
        )


def study(settings: Helvetica, seeds: Sequence[int], device: str) -> Findings:
    """Trains in step, then G alone, then in step again; keeps the state after each phase."""
    runs = [Contestant(settings.objective, seed, settings.learning_rate) for seed in seeds]
    players = duel(settings.game, runs, device)
    watch = Watch(settings, seeds)
    findings = Findings()
    time = 0
    lengths = (settings.warm_steps, settings.frozen_steps, settings.recovery_steps)
    for phase, steps in zip(PHASES, lengths, strict=True):
        for step in range(steps):
            if (time + step) % settings.measure_every == 0:
                watch.look(players, time + step)
            if phase != "D frozen":
                players.discriminator_step()
            players.generator_step()
        time += steps
        watch.look(players, time)
        _keep(findings, phase, players, settings, seeds, watch)
    findings.arrays |= {
        "times": np.array(watch.times),
        "history": np.stack(watch.rows),
        "real": watch.real.astype(np.float32),
        "phase_ends": np.cumsum(lengths),
    }
    _claim(findings, len(seeds))
    return findings


def mean_distance(points: Float[np.ndarray, "n 2"]) -> float:
    """Returns the mean distance between two different points."""
    return float(spatial.distance.pdist(points).mean())


def _logits(players: Duel, points: Float[np.ndarray, "runs n 2"]) -> Float[np.ndarray, "runs n"]:
    x = torch.tensor(points, dtype=torch.float32, device=players.d.device)
    with torch.no_grad():
        return players.judge(x).cpu().double().numpy()


def _keep(
    findings: Findings,
    phase: str,
    players: Duel,
    settings: Helvetica,
    seeds: Sequence[int],
    watch: Watch,
) -> None:
    """Keeps numbers, weights and samples at the end of a phase."""
    for seed, row in zip(seeds, watch.rows[-1], strict=True):
        for name, value in zip(QUANTITIES, row, strict=True):
            findings.measure(name, value, UNITS[name], seed=seed, phase=phase)
    key = phase.replace(" ", "_")
    made = samples(players, settings.game, seeds, settings.samples)
    for seed, points in zip(seeds, made, strict=True):
        share = collapse_share(*map(torch.from_numpy, (points, watch.real)))
        findings.measure("collapse_share", share, "1", seed=seed, phase=phase)
    findings.arrays |= {
        f"{key}_generator": players.g.cpu().numpy().copy(),
        f"{key}_discriminator": players.d.cpu().numpy().copy(),
        f"{key}_samples": made.astype(np.float32),
    }


def _claim(findings: Findings, seeds: int) -> None:
    def ends(name: str, phase: str) -> list[float]:
        return [
            m.value for m in findings.metrics if m.name == name and m.labels.get("phase") == phase
        ]

    findings.claim_at_most(
        "helvetica_collapse",
        f"Helvetica: samples' mean distance over the data's after G alone is trained, median of "
        f"{seeds} seeds",
        float(np.median(ends("diversity", "D frozen"))),
        COLLAPSED_SPREAD,
        unit="1",
    )
    findings.claim_at_most(
        "helvetica_modes",
        f"Helvetica: modes of 8 covered then, most of {seeds} seeds",
        max(ends("modes", "D frozen")),
        FEW,
        unit="modes",
    )
    for phase in ("in step", "in step again"):
        findings.claim_at_least(
            f"helvetica_{phase.replace(' ', '_')}",
            f"Helvetica: samples' mean distance over the data's, {phase}, least of {seeds} seeds",
            min(ends("diversity", phase)),
            KEPT,
            unit="1",
        )
    findings.claim_at_least(
        "helvetica_alarm",
        f"Helvetica: share of alike pairs of samples, G alone trained, least of {seeds} seeds "
        "(the training loop's alarm)",
        min(ends("collapse_share", "D frozen")),
        COLLAPSED,
        unit="1",
    )
    findings.claim_at_most(
        "helvetica_no_alarm",
        f"Helvetica: share of alike pairs of samples, in step again, most of {seeds} seeds",
        max(ends("collapse_share", "in step again")),
        COLLAPSED,
        unit="1",
    )
