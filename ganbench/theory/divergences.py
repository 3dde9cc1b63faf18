"""Jensen-Shannon divergence by means that share nothing with the quadrature of V(D, G)."""

from collections.abc import Callable

import numpy as np
from scipy import integrate, special

from ganbench.theory.densities import Cauchy, Density, Exponential, Normal, Plane
from ganbench.theory.quadrature import panels

ANGLES = 256
LEVELS = 5  # refinements at least: after fewer, two wrong sums can agree by accident
TOLERANCE = 1e-12  # asked of the double-exponential rule, on each piece


def kl_to_average(p: Density, q: Density, cuts: list[float]) -> float:
    """Returns KL(p || (p + q) / 2) in nats, by double-exponential (tanh-sinh) quadrature.

    Args:
        p: where the expectation is taken.
        q: the other half of the average.
        cuts: increasing points between which the integrand is smooth; the ends may be infinite.

    Source: the two terms of the proof of Theorem 1.
    """

    def integrand(x: np.ndarray) -> np.ndarray:
        log_p, log_q = p.log_pdf(x), q.log_pdf(x)
        massive = log_p > -np.inf
        log_p = np.where(massive, log_p, 0.0)
        log_average = np.logaddexp(log_p, np.where(massive, log_q, 0.0)) - np.log(2)
        return np.where(massive, np.exp(log_p) * (log_p - log_average), 0.0)

    return _double_exponential(integrand, cuts)


def jensen_shannon_by_kl(p: Density, q: Density, cuts: list[float]) -> float:
    """Returns JSD(p || q) in nats as half the sum of the proof's two KL terms."""
    return 0.5 * (kl_to_average(p, q, cuts) + kl_to_average(q, p, cuts))


def jensen_shannon_cauchy(p: Cauchy, q: Cauchy) -> float:
    """Returns JSD(p || q) in nats in closed form.

    Source: Nielsen and Okamura (2021), "On f-divergences between Cauchy distributions".
    """
    distance = np.hypot(p.location - q.location, p.scale + q.scale)
    return float(np.log(2 * distance / (distance + 2 * np.sqrt(p.scale * q.scale))))


def jensen_shannon_exponential(p: Exponential, q: Exponential) -> float:
    """Returns JSD(p || q) in nats in closed form, by Gauss's hypergeometric function.

    With u = exp(-|q.rate - p.rate| x) both KL terms are integrals of u^a log(1 + c u).
    """
    if p.rate == q.rate:
        return 0.0
    slow, fast = sorted((p.rate, q.rate))
    gap, ratio = fast - slow, fast / slow
    # E_slow log(1 + fast/slow u), and E_fast log(1 + slow/fast u^-1) = that shape plus E_fast log
    kl_slow = np.log(2) - _expected_log1p(slow / gap, ratio)
    mean_log_u = -gap / fast
    kl_fast = np.log(2) - (_expected_log1p(fast / gap, ratio) - np.log(ratio) - mean_log_u)
    return float(0.5 * (kl_slow + kl_fast))


def jensen_shannon_overlap(shared: float) -> float:
    """Returns JSD in nats of two uniform densities of equal height that share part of their mass.

    Args:
        shared: the part of either's mass that lies on the common support; 0 when disjoint.
    """
    return (1 - shared) * float(np.log(2))


def jensen_shannon_normal(distance: float) -> float:
    """Returns JSD(N(a, I), N(b, I)) in nats for |a - b| = `distance`, in any dimension.

    Only the coordinate along a - b tells the two apart, so that one dimension is enough.
    """
    half = distance / 2
    if half == 0:
        return 0.0
    cuts = [-np.inf, -half, 0.0, half, np.inf]
    return jensen_shannon_by_kl(Normal(-half), Normal(half), cuts)


def jensen_shannon_polar(p: Plane, q: Plane, radius: float) -> float:
    """Returns JSD(p || q) in nats as the sum of two KL terms in polar coordinates.

    Trapezium rule in the angle (exponentially accurate: the integrand is periodic) times
    Gauss-Legendre in the radius.

    Args:
        p: one density, smooth.
        q: the other.
        radius: beyond it neither density has mass worth counting.
    """
    angles = 2 * np.pi * np.arange(ANGLES) / ANGLES
    radii = panels(np.linspace(0, radius, 4 * round(radius) + 1), order=16)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    log_p, log_q = (d.log_pdf(radii.nodes[:, None, None] * directions) for d in (p, q))
    log_average = np.logaddexp(log_p, log_q) - np.log(2)
    terms = np.exp(log_p) * (log_p - log_average) + np.exp(log_q) * (log_q - log_average)
    return 0.5 * radii.integrate(radii.nodes * terms.mean(axis=1) * 2 * np.pi)


def _expected_log1p(a: float, c: float) -> float:
    """The integral over (0, 1) of a u^(a - 1) log(1 + c u)."""
    return float(np.log1p(c) - c / (a + 1) * special.hyp2f1(1, a + 1, a + 2, -c))


def _double_exponential(integrand: Callable[[np.ndarray], np.ndarray], cuts: list[float]) -> float:
    pieces = integrate.tanhsinh(
        integrand, cuts[:-1], cuts[1:], atol=TOLERANCE, rtol=TOLERANCE, minlevel=LEVELS
    )
    return float(pieces.integral.sum())
