"""Densities on the line and in the plane: log-density, samples, and where they bend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy import special

DYADIC = 2.0 ** np.arange(-1, 41)  # out to 1e12 scales: the mass a Cauchy leaves outside is 6e-13
GAUSSIAN_REACH = np.array([0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12])  # beyond 12 sd: 4e-33
LAPLACE_REACH = np.array([0.5, 1, 2, 4, 8, 12, 16, 24, 32, 40])  # beyond 40 scales: 4e-18


@runtime_checkable
class Density(Protocol):
    """A probability density on the line."""

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        ...

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        ...

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth; all but 1e-12 of it lies within."""
        ...


@runtime_checkable
class Plane(Protocol):
    """A probability density in the plane."""

    def log_pdf(self, x: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        ...

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count 2"]:
        """Draws independent points."""
        ...

    def landmarks(self, axis: int) -> Float[np.ndarray, "points"]:
        """Returns the edges along one axis between which the density is smooth."""
        ...


@dataclass(frozen=True)
class Normal:
    """N(mean, deviation^2)."""

    mean: float = 0.0
    deviation: float = 1.0

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats."""
        scaled = (x - self.mean) / self.deviation
        return -0.5 * scaled**2 - np.log(self.deviation) - 0.5 * np.log(2 * np.pi)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return rng.normal(self.mean, self.deviation, count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth."""
        return _around(self.mean, self.deviation * GAUSSIAN_REACH)

    def entropy(self) -> float:
        """Returns the differential entropy in nats."""
        return 0.5 * np.log(2 * np.pi * np.e) + np.log(self.deviation)


@dataclass(frozen=True)
class Cauchy:
    """Heavy tails: neither a mean nor a variance."""

    location: float = 0.0
    scale: float = 1.0

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats."""
        return -np.log1p(((x - self.location) / self.scale) ** 2) - np.log(np.pi * self.scale)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return self.location + self.scale * rng.standard_cauchy(count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth."""
        return _around(self.location, self.scale * DYADIC)

    def entropy(self) -> float:
        """Returns the differential entropy in nats."""
        return np.log(4 * np.pi * self.scale)


@dataclass(frozen=True)
class Laplace:
    """Two-sided exponential, with a kink at its location."""

    location: float = 0.0
    scale: float = 1.0

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats."""
        return -np.abs(x - self.location) / self.scale - np.log(2 * self.scale)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return rng.laplace(self.location, self.scale, count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth."""
        return _around(self.location, self.scale * LAPLACE_REACH)

    def entropy(self) -> float:
        """Returns the differential entropy in nats."""
        return 1 + np.log(2 * self.scale)


@dataclass(frozen=True)
class Exponential:
    """rate exp(-rate x) for x >= 0."""

    rate: float = 1.0

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        return np.where(x >= 0, np.log(self.rate) - self.rate * x, -np.inf)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return rng.exponential(1 / self.rate, count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth."""
        return np.append(0.0, LAPLACE_REACH / self.rate)

    def entropy(self) -> float:
        """Returns the differential entropy in nats."""
        return 1 - np.log(self.rate)


@dataclass(frozen=True)
class Beta:
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b) on (0, 1); Beta(1, 1) is uniform."""

    a: float
    b: float

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        inside = (x >= 0) & (x <= 1)
        x = np.where(inside, x, 0.5)
        value = special.xlogy(self.a - 1, x) + special.xlog1py(self.b - 1, -x)
        return np.where(inside, value - special.betaln(self.a, self.b), -np.inf)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return rng.beta(self.a, self.b, count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges that crowd at both ends, where powers of x are not smooth."""
        half = np.append(0.0, 0.5 ** np.arange(40, 0, -1.0))
        return np.unique(np.concatenate([half, 1 - half]))


@dataclass(frozen=True)
class Uniform:
    """Constant on [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        inside = (x >= self.low) & (x <= self.high)
        return np.where(inside, -np.log(self.high - self.low), -np.inf)

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        return rng.uniform(self.low, self.high, count)

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns the ends of the support."""
        return np.array([self.low, self.high])


@dataclass(frozen=True)
class Mixture:
    """sum_i weights_i components_i; the weights sum to 1."""

    weights: tuple[float, ...]
    components: tuple[Density, ...]

    def log_pdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        logs = [part.log_pdf(x) for part in self.components]
        weights = np.reshape(self.weights, (-1, *([1] * np.ndim(x))))
        return np.asarray(special.logsumexp(np.stack(logs), axis=0, b=weights))

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
        """Draws independent points."""
        counts = rng.multinomial(count, self.weights).tolist()
        parts = [part.sample(n, rng) for part, n in zip(self.components, counts, strict=True)]
        return rng.permutation(np.concatenate(parts))

    def landmarks(self) -> Float[np.ndarray, "points"]:
        """Returns edges between which the density is smooth."""
        return np.unique(np.concatenate([part.landmarks() for part in self.components]))


@dataclass(frozen=True)
class Product:
    """Independent coordinates."""

    first: Density
    second: Density

    def log_pdf(self, x: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        return self.first.log_pdf(x[..., 0]) + self.second.log_pdf(x[..., 1])

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count 2"]:
        """Draws independent points."""
        return np.stack([self.first.sample(count, rng), self.second.sample(count, rng)], axis=-1)

    def landmarks(self, axis: int) -> Float[np.ndarray, "points"]:
        """Returns the edges along one axis between which the density is smooth."""
        return (self.first, self.second)[axis].landmarks()


@dataclass(frozen=True)
class PlaneMixture:
    """Equal parts of densities in the plane."""

    components: tuple[Plane, ...]

    def log_pdf(self, x: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Returns the log-density in nats, -inf outside the support."""
        total = self.components[0].log_pdf(x)
        for part in self.components[1:]:
            total = np.logaddexp(total, part.log_pdf(x))
        return total - np.log(len(self.components))

    def sample(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count 2"]:
        """Draws independent points."""
        equal = np.full(len(self.components), 1 / len(self.components))
        counts = rng.multinomial(count, equal).tolist()
        parts = [part.sample(n, rng) for part, n in zip(self.components, counts, strict=True)]
        return rng.permutation(np.concatenate(parts))

    def landmarks(self, axis: int) -> Float[np.ndarray, "points"]:
        """Returns the edges along one axis between which the density is smooth."""
        return np.unique(np.concatenate([part.landmarks(axis) for part in self.components]))


def isotropic(centre: Sequence[float], deviation: float) -> Product:
    """Returns a round Gaussian in the plane."""
    return Product(Normal(centre[0], deviation), Normal(centre[1], deviation))


def _around(centre: float, reach: Float[np.ndarray, "k"]) -> Float[np.ndarray, "points"]:
    return centre + np.concatenate([-reach[::-1], [0.0], reach])
