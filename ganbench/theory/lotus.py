"""E_z f(G(z)) = E_{x ~ p_g} f(x): the change of variables that Algorithm 1 rests on."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ganbench.theory.densities import Normal
from ganbench.theory.quadrature import Estimate, Rule, line_rule, panels

Function = Callable[[np.ndarray], np.ndarray]
HERMITE_ORDER = 120
STEEPNESS = 0.8
BEND = 0.5


def line_generator(z: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Returns G(z) = sinh(STEEPNESS z), which is invertible."""
    return np.sinh(STEEPNESS * z)


def line_log_pdf(x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Returns log p_g(x) for z ~ N(0, 1): log p_z(G^-1(x)) - log |G'(G^-1(x))|."""
    z = np.arcsinh(x) / STEEPNESS
    return Normal().log_pdf(z) - np.log(STEEPNESS) - 0.5 * np.log1p(x**2)


def plane_generator(z: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Returns G(z) = (2 z_1, z_2 + BEND z_1^2), a bent normal; its Jacobian is 2."""
    return np.stack([2 * z[..., 0], z[..., 1] + BEND * z[..., 0] ** 2], axis=-1)


def plane_log_pdf(x: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    """Returns log p_g(x) for z ~ N(0, I)."""
    first = x[..., 0] / 2
    second = x[..., 1] - BEND * first**2
    return Normal().log_pdf(first) + Normal().log_pdf(second) - np.log(2)


def line_gap(f: Function) -> Estimate:
    """Returns |E_z f(G(z)) - E_{p_g} f(x)|, by panels in z and by other panels in x."""
    z = line_rule(Normal())
    over_noise = z.integrate(np.exp(Normal().log_pdf(z.nodes)) * f(line_generator(z.nodes)))
    edges = np.linspace(-30, 30, 241) ** 3  # G(12) is 7,382; cubes crowd where p_g has its mass
    return _gap(over_noise, f, line_log_pdf, panels(edges, 16), panels(edges, 24))


def plane_gap(f: Function) -> Estimate:
    """Returns |E_z f(G(z)) - E_{p_g} f(x)|, by Gauss-Hermite in z and by panels in x."""
    z, weights = np.polynomial.hermite_e.hermegauss(HERMITE_ORDER)
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.outer(weights, weights).ravel() / (2 * np.pi)
    over_noise = float(mass @ f(plane_generator(grid)))
    return _gap(over_noise, f, plane_log_pdf, _plane_panels(10), _plane_panels(14))


def _gap(over_noise: float, f: Function, log_pdf: Function, rule: Rule, finer: Rule) -> Estimate:
    over_data, coarser = (r.integrate(np.exp(log_pdf(r.nodes)) * f(r.nodes)) for r in (finer, rule))
    return Estimate(abs(over_noise - over_data), abs(over_data - coarser))


def _plane_panels(order: int) -> Rule:
    x, y = panels(np.linspace(-20, 20, 41), order), panels(np.linspace(-9, 60, 70), order)
    nodes = np.stack(np.meshgrid(x.nodes, y.nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    return Rule(nodes, np.outer(x.weights, y.weights).ravel())
