"""Proposition 2: descent in p_g with D at its optimum, and a parametric G that gets stuck."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from ganbench.theory.config import Descent
from ganbench.theory.densities import Cauchy, Density, Mixture, Normal, Uniform
from ganbench.theory.families import LOG_4
from ganbench.theory.findings import Findings
from ganbench.theory.quadrature import line_rule
from ganbench.theory.value_function import best_value, optimal_logit

GRID = np.linspace(-12, 12, 1201)
STARTS: dict[str, tuple[Density, Density]] = {
    "bimodal from one normal": (
        Mixture((0.3, 0.7), (Normal(-3.0, 0.5), Normal(2.0, 1.0))),
        Normal(0.0, 2.0),
    ),
    "bimodal from its smaller mode": (
        Mixture((0.3, 0.7), (Normal(-3.0, 0.5), Normal(2.0, 1.0))),
        Normal(-3.0, 1.0),
    ),
    "normal from a uniform": (Normal(1.0, 1.0), Uniform(-12.0, 12.0)),
    "heavy tails from a normal": (Cauchy(), Normal(2.0, 2.0)),
}
SNAPSHOTS = (0, 2, 5, 15)  # steps whose densities are drawn, with the last
CONVERGED = 1e-3  # nats above -log 4, as the project states it
ROUNDING = 1e-12
TARGET = Mixture((0.25, 0.75), (Normal(-4.0, 0.5), Normal(4.0, 0.5)))
DEVIATION = 0.5  # of the parametric generator G(z) = mean + DEVIATION z
PARAMETRIC_STARTS = (-5.0, -2.5, -1.0, 1.0, 2.5, 5.0)
MEANS = np.linspace(-7, 7, 561)
NUDGE = 1e-4  # of the mean, for the central difference
NODES, _weights = np.polynomial.hermite_e.hermegauss(80)
MASS = _weights / _weights.sum()
STUCK = 0.1  # nats above the best of the family: far more than any numerical error


@dataclass(frozen=True)
class Trajectory:
    """C(G) in nats before each update, and the densities on the way."""

    best_values: Float[np.ndarray, "times"]
    densities: Float[np.ndarray, "times cells"]


def study(settings: Descent, seeds: Sequence[int], device: str) -> Findings:  # noqa: ARG001
    """Descends in p_g from several starts, then in the mean of a normal; nothing is random."""
    findings = Findings(arrays={"grid": GRID})
    _in_densities(findings, settings)
    _in_a_parameter(findings, settings)
    return findings


def best_value_on_grid(data: Float[np.ndarray, "n"], made: Float[np.ndarray, "n"]) -> float:
    """Returns C(G) in nats for probabilities of cells."""
    total = data + made
    real = data * np.log(np.divide(data, total, where=data > 0, out=np.ones_like(data)))
    fake = made * np.log(np.divide(made, total, where=made > 0, out=np.ones_like(made)))
    return float(real.sum() + fake.sum())


def descend(
    data: Float[np.ndarray, "n"], made: Float[np.ndarray, "n"], step: float, steps: int
) -> Trajectory:
    """Mirror descent in p_g: p_g <- p_g exp(-step log(1 - D*)), then normalised.

    log(1 - D*) is the derivative of V(D*, G) in p_g, with D held at its optimum. This is gradient
    descent in the geometry of probabilities: no cell becomes negative, and the curvature of C
    relative to the negative entropy is at most 1, so that C never rises for a step up to 1.

    Args:
        data: probability of each cell under p_data.
        made: at the start, under p_g; positive everywhere, as a factor cannot revive a zero.
        step: at most 1.
        steps: number of updates.

    Source: Proposition 2; the rate is that of Bauschke, Bolte and Teboulle (2017).
    """
    values, densities = [best_value_on_grid(data, made)], [made]
    for _ in range(steps):
        slope = np.log(made) - np.log(data + made)
        made = made * np.exp(-step * slope)
        made = made / made.sum()
        values.append(best_value_on_grid(data, made))
        densities.append(made)
    return Trajectory(np.array(values), np.array(densities))


def _in_densities(findings: Findings, settings: Descent) -> None:
    rise, remaining, rate_excess = -np.inf, 0.0, -np.inf
    for index, (name, (data, made)) in enumerate(STARTS.items()):
        target, start = _cells(data), _cells(made)
        path = descend(target, start, settings.step, settings.steps)
        gap = path.best_values + LOG_4
        findings.measure("descent_final", path.best_values[-1], case=name)
        rise = max(rise, float(np.diff(path.best_values).max()))
        remaining = max(remaining, gap[-1])
        allowed = _kl(target, start) / (settings.step * np.arange(1, settings.steps + 1))
        rate_excess = max(rate_excess, float((gap[1:] - allowed).max()))
        findings.arrays[f"descent_{index}_best_value"] = path.best_values
        findings.arrays[f"descent_{index}_target"] = target
        findings.arrays[f"descent_{index}_densities"] = path.densities[[*SNAPSHOTS, settings.steps]]
    findings.claim_at_most(
        "descent_monotone",
        f"Proposition 2: largest rise of C in a step of descent in p_g, {len(STARTS)} starts",
        rise,
        ROUNDING,
    )
    findings.claim_at_most(
        "descent_converges",
        f"Proposition 2: C + log 4 after {settings.steps} steps, worst start",
        remaining,
        CONVERGED,
    )
    findings.claim_at_most(
        "descent_rate",
        "Proposition 2: C + log 4 less its bound KL(p_data || first p_g) / (step x t), largest",
        rate_excess,
        ROUNDING,
    )


def parametric_best_value(mean: float) -> float:
    """Returns C(G) in nats for p_g = N(mean, DEVIATION^2) against TARGET."""
    made = Normal(mean, DEVIATION)
    rule = line_rule(TARGET, made)
    return best_value(TARGET, made, rule)


def parametric_slope(mean: float) -> float:
    """Returns d/d mean of E_z log(1 - D*(mean + DEVIATION z)), D* held fixed."""

    def log_rejection(x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        logit = optimal_logit(TARGET.log_pdf(x), Normal(mean, DEVIATION).log_pdf(x))
        return special.log_expit(-logit)

    high, low = (log_rejection(mean + side * NUDGE + DEVIATION * NODES) for side in (1, -1))
    return float(MASS @ (high - low)) / (2 * NUDGE)


def _in_a_parameter(findings: Findings, settings: Descent) -> None:
    paths = []
    for start in PARAMETRIC_STARTS:
        path = [start]
        for _ in range(settings.parametric_steps):
            path.append(path[-1] - settings.parametric_step * parametric_slope(path[-1]))
        paths.append(path)
        findings.measure("parametric_final_mean", path[-1], "1", start=start)
        findings.measure("parametric_final", parametric_best_value(path[-1]), "nats", start=start)
    family = np.array([parametric_best_value(mean) for mean in MEANS])
    ends = np.array([parametric_best_value(path[-1]) for path in paths])
    findings.arrays |= {"means": MEANS, "mean_best_value": family, "mean_paths": np.array(paths)}
    findings.claim_at_most(
        "parametric_can_succeed",
        "Parametric G, good start: C less the best of its family",
        ends.min() - family.min(),
        CONVERGED,
    )
    findings.claim_at_least(
        "parametric_can_stick",
        f"Parametric G: {int((ends - family.min() > STUCK).sum())} of {len(ends)} starts stick; "
        "C of the worst less the best of its family",
        ends.max() - family.min(),
        STUCK,
    )


def _cells(density: Density) -> Float[np.ndarray, "cells"]:
    """Probabilities of the grid's cells, up to normalisation."""
    weights = np.exp(density.log_pdf(GRID))
    return weights / weights.sum()


def _kl(p: Float[np.ndarray, "n"], q: Float[np.ndarray, "n"]) -> float:
    return float(special.rel_entr(p, q).sum())
