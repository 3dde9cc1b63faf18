"""The identities of section 4 of the paper, each computed twice by different means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from ganbench.seeding import stream_seed
from ganbench.theory import lotus
from ganbench.theory.config import Identities
from ganbench.theory.densities import Normal
from ganbench.theory.divergences import jensen_shannon_normal
from ganbench.theory.families import LOG_4, Pair, pairs
from ganbench.theory.findings import Findings
from ganbench.theory.quadrature import Estimate, both_rules, line_rule
from ganbench.theory.value_function import (
    Discriminator,
    Points,
    at,
    best_value,
    best_value_at,
    optimal_logit,
    total_variation,
    value_by_quadrature,
    value_by_sampling,
)

ROUNDING = 1e-12  # of sums of some thousand float64 terms of order one
CONFIDENCE = 0.999  # that all Monte Carlo comparisons hold together, were each exact
THEOREM_BOUND = {1: 1e-9, 2: 1e-6}  # nats, by dimension, as the project states it
LOTUS_BOUND = 1e-8
SHIFTS = np.linspace(-6, 6, 25)


@dataclass(frozen=True)
class Case:
    """A pair of densities at the nodes of its quadrature rule, and of the finer one."""

    pair: Pair
    weights: Float[np.ndarray, "n"]
    points: Points
    finer_weights: Float[np.ndarray, "m"]
    finer_points: Points

    def integrate(self, measure: Callable[[Points, np.ndarray], float]) -> Estimate:
        """Returns what the finer rule gives, and how far the coarser one is from it."""
        value = measure(self.finer_points, self.finer_weights)
        return Estimate(value, abs(value - measure(self.points, self.weights)))

    @property
    def at_data(self) -> bool:
        """Whether p_g is p_data."""
        return self.pair.data == self.pair.made


def study(settings: Identities, seeds: Sequence[int], device: str) -> Findings:  # noqa: ARG001
    """Checks every identity; the seeds draw the Monte Carlo samples."""
    findings = Findings()
    cases = [_case(pair) for pair in pairs()]
    _value_function(findings, cases, settings.samples, seeds)
    _pointwise(findings)
    for dimension in (1, 2):
        _theorem(findings, [c for c in cases if c.pair.dimension == dimension], dimension)
    _minimum(findings, cases)
    _data_space(findings)
    return findings


DISCRIMINATORS: dict[str, Discriminator] = {
    "optimal": lambda points: optimal_logit(points.log_data, points.log_made),
    "undecided": lambda points: np.zeros_like(points.log_data),
    "cautious": lambda points: (
        0.5 * np.clip(optimal_logit(points.log_data, points.log_made), -50, 50)
    ),
    "unrelated": lambda points: (
        2 * np.tanh(points.x.reshape(len(points.log_data), -1).sum(axis=1) - 0.5)
    ),
}


def _case(pair: Pair) -> Case:
    rule, finer = both_rules(pair.data, pair.made, pair.dimension)
    points, finer_points = (at(pair.data, pair.made, r.nodes) for r in (rule, finer))
    return Case(pair, rule.weights, points, finer.weights, finer_points)


def _value_function(
    findings: Findings, cases: list[Case], samples: int, seeds: Sequence[int]
) -> None:
    errors: dict[int, list[float]] = {1: [], 2: []}
    gaps, scores = [], []
    for index, case in enumerate(cases):
        draws = [_draw(case.pair, samples, seed, index) for seed in seeds]
        best = best_value_at(case.finer_points, case.finer_weights)
        for D in DISCRIMINATORS.values():
            exact = case.integrate(lambda p, w, D=D: value_by_quadrature(p, w, D(p)))
            errors[case.pair.dimension].append(exact.error)
            gaps.append(best - exact.value)
            for real, fake in draws:
                sampled = value_by_sampling(D(real), D(fake))
                allowed = np.hypot(sampled.error, exact.error) + ROUNDING
                scores.append(abs(sampled.value - exact.value) / allowed)
    for dimension, values in errors.items():
        findings.claim_at_most(
            f"value_quadrature_error_{dimension}d",
            f"V(D, G), {dimension}-D: the quadrature's own error, two orders compared",
            max(values),
            THEOREM_BOUND[dimension],
        )
    findings.claim_at_most(
        "value_monte_carlo",
        f"V(D, G): Monte Carlo against quadrature, worst of {len(scores)} comparisons",
        max(scores),
        float(stats.norm.isf((1 - CONFIDENCE) / (2 * len(scores)))),
        unit="standard errors",
    )
    findings.claim_at_least(
        "optimal_discriminator_is_best",
        "Proposition 1: C(G) - V(D, G), the smallest over all D tried (D* itself gives 0)",
        min(gaps),
        -ROUNDING,
    )


def _draw(pair: Pair, samples: int, seed: int, index: int) -> tuple[Points, Points]:
    rng = np.random.default_rng(stream_seed(seed, "sampling", index))
    real, fake = pair.data.sample(samples, rng), pair.made.sample(samples, rng)
    return at(pair.data, pair.made, real), at(pair.data, pair.made, fake)


def _pointwise(findings: Findings) -> None:
    """a log y + b log(1 - y) peaks at a / (a + b), on a grid of a, b and y."""
    a, b = (
        grid.ravel() for grid in np.meshgrid(np.linspace(0.05, 2, 40), np.linspace(0.05, 2, 40))
    )
    y = np.linspace(0, 1, 2001)[1:-1]
    spacing = y[1] - y[0]
    values = a[:, None] * np.log(y) + b[:, None] * np.log1p(-y)
    miss = np.abs(y[values.argmax(axis=1)] - a / (a + b)).max()
    findings.claim_at_most(
        "pointwise_argmax",
        "Proposition 1: a log y + b log(1 - y) peaks at a / (a + b), off by (grid spacing 0.0005)",
        miss,
        spacing / 2 + ROUNDING,
        unit="1",
    )
    second = (values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]) / spacing**2
    findings.claim_at_most(
        "pointwise_second_derivative",
        "Proposition 1: its largest second difference over a + b (negative: one peak)",
        (second / (a + b)[:, None]).max(),
        -1.0,
        unit="1",
    )


def _theorem(findings: Findings, cases: list[Case], dimension: int) -> None:
    left = [case.integrate(best_value_at) for case in cases]
    right = [-LOG_4 + 2 * case.pair.divergence() for case in cases]
    for case, estimate, other in zip(cases, left, right, strict=True):
        labels = {"pair": case.pair.name, "dimension": dimension, "means": case.pair.means}
        findings.measure("best_value", estimate.value, **labels, quadrature_error=estimate.error)
        findings.measure("divergence_side", other, **labels)
    findings.claim_at_most(
        f"theorem_1_{dimension}d",
        f"Theorem 1: C(G) against -log 4 + 2 JSD by other means, {dimension}-D, "
        f"worst of {len(cases)} pairs",
        max(abs(a.value - b) for a, b in zip(left, right, strict=True)),
        THEOREM_BOUND[dimension],
    )
    by_terms = [
        abs(a.value - b)
        for c, a, b in zip(cases, left, right, strict=True)
        if "two KL terms" in c.pair.means
    ]
    findings.claim_at_most(
        f"theorem_1_kl_terms_{dimension}d",
        f"Theorem 1: C(G) against -log 4 plus the proof's two KL terms, {dimension}-D, "
        f"worst of {len(by_terms)} pairs",
        max(by_terms),
        THEOREM_BOUND[dimension],
    )
    disjoint = [e.value for c, e in zip(cases, left, strict=True) if "disjoint" in c.pair.name]
    findings.claim_at_most(
        f"disjoint_{dimension}d",
        f"Disjoint supports, {dimension}-D: |C(G)| is exactly 0",
        max(map(abs, disjoint)),
        0.0,
    )


def _minimum(findings: Findings, cases: list[Case]) -> None:
    """C(G) = -log 4 at p_g = p_data, and C(G) + log 4 >= TV^2 > 0 elsewhere (Pinsker)."""
    above = [best_value_at(c.finer_points, c.finer_weights) + LOG_4 for c in cases]
    findings.claim_at_most(
        "minimum",
        "Theorem 1: |C(G) + log 4| at p_g = p_data (log 4 = 1.386294)",
        max(abs(value) for value, c in zip(above, cases, strict=True) if c.at_data),
        THEOREM_BOUND[1],
    )
    findings.claim_at_least(
        "minimum_only_there",
        "Theorem 1: C(G) + log 4 - TV(p_data, p_g)^2, smallest over p_g other than p_data",
        min(
            value - total_variation(c.finer_points, c.finer_weights) ** 2
            for value, c in zip(above, cases, strict=True)
            if not c.at_data
        ),
        0.0,
    )
    curve = [best_value(Normal(), Normal(a), line_rule(Normal(), Normal(a))) for a in SHIFTS]
    findings.arrays["shift"] = SHIFTS
    findings.arrays["shift_best_value"] = np.array(curve)
    findings.arrays["shift_divergence_side"] = np.array(
        [-LOG_4 + 2 * jensen_shannon_normal(abs(a)) for a in SHIFTS]
    )


def _data_space(findings: Findings) -> None:
    def on_line(x: np.ndarray) -> np.ndarray:
        return special.log_expit(-2 * np.tanh(x - 0.5))

    def in_plane(x: np.ndarray) -> np.ndarray:
        return special.log_expit(-2 * np.tanh(x.sum(axis=-1) - 0.5))

    for name, gap in (("1-D", lotus.line_gap(on_line)), ("2-D", lotus.plane_gap(in_plane))):
        findings.claim_at_most(
            f"data_space_{name}",
            f"E_z log(1 - D(G(z))) = E_(x ~ p_g) log(1 - D(x)), {name}, differ by",
            gap.value,
            LOTUS_BOUND,
        )
