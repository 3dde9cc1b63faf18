"""Gauss-Legendre quadrature on panels, and expectations under a density."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float

from ganbench.theory.densities import Density, Plane

ORDER = 16
CHECK_ORDER = 24  # a finer rule: the difference is the stated error
PLANE_ORDER = 5
PLANE_CHECK_ORDER = 7


@dataclass(frozen=True)
class Rule:
    """Nodes and weights such that sum(weights * f(nodes)) approximates the integral of f."""

    nodes: Float[np.ndarray, "n"] | Float[np.ndarray, "n 2"]
    weights: Float[np.ndarray, "n"]

    def integrate(self, values: Float[np.ndarray, "n"]) -> float:
        """Returns the integral of a function given at the nodes."""
        return float(self.weights @ values)


@dataclass(frozen=True)
class Estimate:
    """A number and its error: of quadrature, or one standard error of Monte Carlo."""

    value: float
    error: float


def panels(edges: Float[np.ndarray, "edges"], order: int) -> Rule:
    """Returns the Gauss-Legendre rule of `order` nodes between neighbouring edges."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    middle = (edges[:-1] + edges[1:])[:, None] / 2
    return Rule((middle + half * nodes).ravel(), (half * weights).ravel())


def line_rule(*densities: Density, order: int = ORDER) -> Rule:
    """Returns a rule on the line fine enough for all the densities together."""
    edges = np.unique(np.concatenate([density.landmarks() for density in densities]))
    return panels(edges, order)


def plane_rule(*densities: Plane, order: int = PLANE_ORDER) -> Rule:
    """Returns a rule in the plane: the product of one on each axis."""
    x, y = (
        panels(np.unique(np.concatenate([d.landmarks(axis) for d in densities])), order)
        for axis in (0, 1)
    )
    nodes = np.stack(np.meshgrid(x.nodes, y.nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    return Rule(nodes, np.outer(x.weights, y.weights).ravel())


def both_rules(p: Density | Plane, q: Density | Plane, dimension: int) -> tuple[Rule, Rule]:
    """Returns the working rule for two densities and the finer one that checks it."""
    if dimension == 1:
        line = cast(Density, p), cast(Density, q)
        return line_rule(*line), line_rule(*line, order=CHECK_ORDER)
    plane = cast(Plane, p), cast(Plane, q)
    return plane_rule(*plane), plane_rule(*plane, order=PLANE_CHECK_ORDER)
