"""The game's value V(D, G), the optimal discriminator, and C(G) = max_D V(D, G)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from ganbench.theory.densities import Density, Plane
from ganbench.theory.quadrature import Estimate, Rule


@dataclass(frozen=True)
class Points:
    """Points with both log-densities there, in nats."""

    x: Float[np.ndarray, "n *d"]
    log_data: Float[np.ndarray, "n"]
    log_made: Float[np.ndarray, "n"]


Discriminator = Callable[[Points], np.ndarray]  # gives logits


def at(data: Density | Plane, made: Density | Plane, x: Float[np.ndarray, "n *d"]) -> Points:
    """Returns points with p_data (`data`) and p_g (`made`) evaluated there."""
    return Points(x, data.log_pdf(x), made.log_pdf(x))


def optimal_logit(
    log_data: Float[np.ndarray, "*n"], log_made: Float[np.ndarray, "*n"]
) -> Float[np.ndarray, "*n"]:
    """Returns the logit of D*(x) = p_data(x) / (p_data(x) + p_g(x)), log p_data - log p_g.

    Where neither density has mass every D is optimal: the logit given there is 0.

    Source: Proposition 1.
    """
    nowhere = np.isneginf(log_data) & np.isneginf(log_made)
    return np.where(nowhere, 0.0, log_data - np.where(nowhere, 0.0, log_made))


def value_by_quadrature(
    points: Points, weights: Float[np.ndarray, "n"], logit: Float[np.ndarray, "n"]
) -> float:
    """Returns V(D, G) = E_data log D(x) + E_g log(1 - D(x)) in nats.

    Args:
        points: the nodes of a quadrature rule fine enough for both densities.
        weights: of that rule.
        logit: of the discriminator at the nodes.
    """
    real = _expectation(weights, points.log_data, special.log_expit(logit))
    return real + _expectation(weights, points.log_made, special.log_expit(-logit))


def value_by_sampling(
    real_logit: Float[np.ndarray, "n"], fake_logit: Float[np.ndarray, "m"]
) -> Estimate:
    """Returns V(D, G) in nats, with one standard error, from D's logits on samples of both."""
    parts = special.log_expit(real_logit), special.log_expit(-fake_logit)
    variance = sum(part.var(ddof=1) / len(part) for part in parts)
    return Estimate(float(sum(part.mean() for part in parts)), float(np.sqrt(variance)))


def best_value(data: Density | Plane, made: Density | Plane, rule: Rule) -> float:
    """Returns C(G) = V(D*, G) in nats, between -log 4 and 0.

    Source: equation 4 of the paper.
    """
    return best_value_at(at(data, made, rule.nodes), rule.weights)


def best_value_at(points: Points, weights: Float[np.ndarray, "n"]) -> float:
    """Returns C(G) in nats from densities already evaluated at the nodes of a rule."""
    return value_by_quadrature(points, weights, optimal_logit(points.log_data, points.log_made))


def total_variation(points: Points, weights: Float[np.ndarray, "n"]) -> float:
    """Returns half the integral of |p_data - p_g|, between 0 and 1."""
    return 0.5 * float(weights @ np.abs(np.exp(points.log_data) - np.exp(points.log_made)))


def _expectation(
    weights: Float[np.ndarray, "n"], log_pdf: Float[np.ndarray, "n"], f: Float[np.ndarray, "n"]
) -> float:
    """The integral of the density times f; no mass counts 0, even where f is infinite."""
    pdf = np.exp(log_pdf)
    return float(weights @ (pdf * np.where(pdf > 0, f, 0.0)))
