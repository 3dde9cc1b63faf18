"""Families of p_data and p_g whose Jensen-Shannon divergence is known by other means."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganbench.theory import divergences
from ganbench.theory.densities import (
    Beta,
    Cauchy,
    Density,
    Exponential,
    Laplace,
    Mixture,
    Normal,
    Plane,
    PlaneMixture,
    Product,
    Uniform,
    isotropic,
)

LOG_4 = float(np.log(4))


@dataclass(frozen=True)
class Pair:
    """Two densities and their Jensen-Shannon divergence, computed without the quadrature of V."""

    name: str
    data: Density | Plane
    made: Density | Plane
    dimension: int
    divergence: Callable[[], float]
    means: str


def pairs() -> list[Pair]:
    """Returns the families of p_g over which Theorem 1 is checked."""
    return [*_line_pairs(), *_plane_pairs()]


def _line_pairs() -> list[Pair]:
    bimodal = Mixture((0.3, 0.7), (Normal(-2.0, 0.3), Normal(2.0, 0.5)))
    shifts = [
        _by_kl(
            f"normals {shift} apart",
            Normal(),
            Normal(shift),
            [-8.0, 0.0, shift / 2.0, shift, shift + 8.0],
        )
        for shift in (0.1, 1.0, 3.0, 6.0)
    ]
    return [
        Pair("equal normals", Normal(), Normal(), 1, lambda: 0.0, "closed form"),
        *shifts,
        _by_kl("normals of scales 1 and 3", Normal(), Normal(0.0, 3.0), [-8.0, -1.0, 1.0, 8.0]),
        _by_kl(
            "Laplace and a narrow normal",
            Laplace(),
            Normal(1.0, 0.3),
            [-8.0, -1.0, 0.0, 1.0, 2.0, 8.0],
        ),
        _by_kl(
            "mixture and Cauchy", bimodal, Cauchy(), [-8.0, -4.0, -2.0, -1.0, 0.0, 2.0, 4.0, 8.0]
        ),
        *(
            Pair(f"Cauchys {a} apart", p, q, 1, _cauchy(p, q), "closed form")
            for a, p, q in [(a, Cauchy(), Cauchy(a, 0.5)) for a in (0.5, 3.0, 30.0)]
        ),
        *(
            Pair(f"exponentials of rates 1 and {r}", p, q, 1, _exponential(p, q), "closed form")
            for r, p, q in [(r, Exponential(), Exponential(r)) for r in (0.2, 1.5, 8.0)]
        ),
        Pair(
            "triangles", Beta(2.0, 1.0), Beta(1.0, 2.0), 1, lambda: (LOG_4 - 1) / 2, "closed form"
        ),
        *(
            Pair(
                f"uniforms that share {1 - a:g}",
                Uniform(),
                Uniform(a, 1.0 + a),
                1,
                lambda a=a: divergences.jensen_shannon_overlap(1 - a),
                "closed form",
            )
            for a in (0.25, 0.75)
        ),
        Pair(
            "disjoint uniforms", Uniform(), Uniform(2.0, 3.0), 1, lambda: LOG_4 / 2, "closed form"
        ),
    ]


def _plane_pairs() -> list[Pair]:
    unit = isotropic((0.0, 0.0), 1.0)
    angles = 2 * np.pi * np.arange(8) / 8
    ring = PlaneMixture(tuple(isotropic((2 * np.cos(a), 2 * np.sin(a)), 0.3) for a in angles))
    wide = isotropic((0.0, 0.0), 2.0)
    return [
        Pair("equal normals", unit, unit, 2, lambda: 0.0, "closed form"),
        Pair(
            "normals shifted by (2, 1)",
            unit,
            isotropic((2.0, 1.0), 1.0),
            2,
            lambda: divergences.jensen_shannon_normal(5**0.5),
            "along the shift",
        ),
        Pair(
            "normals of scales 1 and 2",
            unit,
            wide,
            2,
            _exponential(Exponential(0.5), Exponential(0.125)),
            "closed form of the squared radius",
        ),
        Pair(
            "Cauchy products",
            Product(Cauchy(), Normal()),
            Product(Cauchy(2.0), Normal()),
            2,
            _cauchy(Cauchy(), Cauchy(2.0)),
            "closed form",
        ),
        Pair(
            "ring of 8 and a wide normal",
            ring,
            wide,
            2,
            lambda: divergences.jensen_shannon_polar(ring, wide, radius=16.0),
            "two KL terms in polar coordinates",
        ),
        Pair(
            "squares that share 0.375",
            Product(Uniform(), Uniform()),
            Product(Uniform(0.25, 1.25), Uniform(0.5, 1.5)),
            2,
            lambda: divergences.jensen_shannon_overlap(0.375),
            "closed form",
        ),
        Pair(
            "disjoint squares",
            Product(Uniform(), Uniform()),
            Product(Uniform(2.0, 3.0), Uniform()),
            2,
            lambda: LOG_4 / 2,
            "closed form",
        ),
    ]


def _by_kl(name: str, p: Density, q: Density, cuts: list[float]) -> Pair:
    ends = [-np.inf, *sorted(set(cuts)), np.inf]
    return Pair(name, p, q, 1, lambda: divergences.jensen_shannon_by_kl(p, q, ends), "two KL terms")


def _cauchy(p: Cauchy, q: Cauchy) -> Callable[[], float]:
    return lambda: divergences.jensen_shannon_cauchy(p, q)


def _exponential(p: Exponential, q: Exponential) -> Callable[[], float]:
    return lambda: divergences.jensen_shannon_exponential(p, q)
