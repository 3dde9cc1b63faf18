"""parzen_log_likelihood: a Gaussian's density, the formula in float64, invariants, memory."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from ganbench_kernels import parzen_log_likelihood
from ganbench_kernels.dispatch import dot_precision
from ganbench_kernels.parzen import tiled
from ganbench_kernels.parzen.tiled import CENTERS

# Stated in kernels/README.md: float32 at bandwidths of 0.1 or more on images in [0, 1], nats.
POINT_ERROR, MEAN_ERROR = 0.02, 1e-3
FLOAT64 = {"rtol": 1e-12, "atol": 1e-9}


def formula(points: torch.Tensor, centers: torch.Tensor, sigmas: torch.Tensor) -> np.ndarray:
    """Explicit differences and scipy's log-sum-exp, in float64."""
    p, c = points.double().numpy(), centers.double().numpy()
    squared = np.stack([np.square(row - c).sum(1) for row in p])
    return np.stack(
        [
            logsumexp(-squared / (2 * s * s), axis=1)
            - math.log(len(c))
            - p.shape[1] / 2 * math.log(2 * math.pi * s * s)
            for s in sigmas.double().tolist()
        ]
    )


def draw(m: int, n: int, d: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(m + n + d)
    return tuple(torch.rand(rows, d, generator=generator, dtype=dtype) for rows in (m, n))


def test_one_center_is_its_gaussian() -> None:
    points, center = draw(5, 1, 3)
    density = torch.distributions.Normal(center, 0.3).log_prob(points).sum(1)
    actual = parzen_log_likelihood(points, center, torch.tensor([0.3], dtype=torch.float64))
    torch.testing.assert_close(actual[0], density)


@pytest.mark.parametrize(("m", "n", "d"), [(1, 1, 1), (63, 100, 784), (300, 1271, 63)])
def test_equals_the_formula_in_float64(m: int, n: int, d: int) -> None:
    points, centers = draw(m, n, d)
    sigmas = torch.logspace(-1, 0, 10, dtype=torch.float64)
    actual = parzen_log_likelihood(points, centers, sigmas)
    np.testing.assert_allclose(actual, formula(points, centers, sigmas), **FLOAT64)


def test_float32_is_as_near_as_stated_on_real_images() -> None:
    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    # Blocks of 3 x 3 equal pixels bring 64 dimensions to 576: MNIST's norms and distances.
    images = images.unflatten(1, (8, 8)).repeat_interleave(3, 1).repeat_interleave(3, 2).flatten(1)
    points, centers, sigmas = images[:300], images[300:], torch.tensor([0.1, 0.2])
    actual = parzen_log_likelihood(points, centers, sigmas)
    error = actual.double() - torch.from_numpy(formula(points, centers, sigmas))
    assert error.abs().max() < POINT_ERROR
    assert error.mean(1).abs().max() < MEAN_ERROR


def test_is_invariant_to_order_batches_and_shifts() -> None:
    points, centers = draw(40, CENTERS + 77, 9)
    sigmas = torch.tensor([0.2, 0.5], dtype=torch.float64)
    whole = parzen_log_likelihood(points, centers, sigmas)
    parts = [parzen_log_likelihood(part, centers, sigmas) for part in points.split(7)]
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    order = torch.randperm(len(centers))
    torch.testing.assert_close(parzen_log_likelihood(points, centers[order], sigmas), whole)
    torch.testing.assert_close(parzen_log_likelihood(points + 5, centers + 5, sigmas), whole)


def test_doubling_the_scale_costs_d_log_2() -> None:
    points, centers = draw(10, 20, 6)
    sigmas = torch.tensor([0.3], dtype=torch.float64)
    doubled = parzen_log_likelihood(2 * points, 2 * centers, 2 * sigmas)
    plain = parzen_log_likelihood(points, centers, sigmas)
    torch.testing.assert_close(doubled, plain - 6 * math.log(2))


def test_gradients_equal_finite_differences() -> None:
    points, centers = draw(6, 9, 5)
    sigmas = torch.tensor([0.5, 1.0], dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (points, centers, sigmas)]
    assert torch.autograd.gradcheck(parzen_log_likelihood, inputs)


def test_a_far_point_is_exact_and_a_nan_stays_in_its_row() -> None:
    points, centers = draw(3, 8, 4)
    points[0] += 1e4
    points[1, 2] = torch.nan
    sigmas = torch.tensor([0.1], dtype=torch.float64)
    actual = parzen_log_likelihood(points, centers, sigmas)[0]
    assert math.isclose(actual[0], formula(points[:1], centers, sigmas)[0, 0], rel_tol=1e-12)
    assert actual.isnan().tolist() == [False, True, False]


def test_bfloat16_is_widened_and_views_and_no_points_work() -> None:
    points, centers = (t.bfloat16() for t in draw(5, 8, 4))
    sigmas = torch.tensor([0.5]).bfloat16()
    wide = parzen_log_likelihood(points.float(), centers.float(), sigmas.float())
    assert torch.equal(parzen_log_likelihood(points, centers, sigmas), wide)
    view = points.float().T.contiguous().T
    torch.testing.assert_close(parzen_log_likelihood(view, centers.float(), sigmas.float()), wide)
    assert parzen_log_likelihood(points[:0], centers, sigmas).shape == (1, 0)


@pytest.mark.parametrize("setting", ["high", "highest"])
def test_the_reference_keeps_tf32_out_and_leaves_the_setting(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU that trains in TF32, the products of the likelihood are not."""
    before = torch.get_float32_matmul_precision()
    inside: list[str] = []
    for name in ("parzen_log_likelihood", "parzen_log_likelihood_backward"):
        plain = getattr(tiled, name)

        def noted(*inputs: torch.Tensor, plain: Callable[..., Any] = plain) -> Any:
            inside.append(dot_precision(torch.float32))
            return plain(*inputs)

        monkeypatch.setattr(tiled, name, noted)
    points, centers = draw(3, 4, 2)
    torch.set_float32_matmul_precision(setting)
    try:
        ours = parzen_log_likelihood(points.requires_grad_(), centers, torch.ones(1).double())
        ours.sum().backward()
        assert inside == ["float32", "float32"]
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before)


def test_memory_stays_far_below_the_matrix() -> None:
    """The issue's bound is 300 MB beyond the inputs for 10,000 centers; a matrix would take 400."""
    points, centers = draw(10_000, 10_000, 16, torch.float32)
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], resident_bytes())
            time.sleep(0.001)

    start = resident_bytes()
    watcher = threading.Thread(target=watch)
    watcher.start()
    parzen_log_likelihood(points, centers, torch.tensor([0.2]))
    stop.set()
    watcher.join()
    assert peak[0] - start < 150e6


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.ones(3, 2, 2)}, r"points: should be \[M, D\], got \[3, 2, 2\]; flatten"),
        ({"centers": torch.ones(4)}, r"centers: should be \[N, D\], got \[4\]; flatten images"),
        ({"points": torch.ones(3, 3)}, r"points: should have shape \[3, 4\], got \[3, 3\]"),
        ({"sigmas": torch.ones(2, 2)}, r"sigmas: should have shape \[4\], got \[2, 2\]"),
        ({"centers": torch.ones(0, 4)}, r"centers: should not be empty, got 0; draw some samples"),
        ({"sigmas": 0}, "sigmas: should be positive numbers, got 0; give bandwidths above 0"),
        ({"sigmas": [0.1, -1.0]}, "sigmas: should be positive numbers, got -1.0"),
        ({"sigmas": [float("nan")]}, "sigmas: should be positive numbers, got nan"),
        ({"sigmas": ["0.1"]}, "sigmas: should be positive numbers, got '0.1'"),
        ({"points": [[1.0]]}, r"points: should be a tensor, got \[\[1.0\]\]; give torch.tensor"),
        ({"sigmas": torch.ones(2).double()}, r"sigmas: should be torch.float32 on cpu as points"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    good = {"points": torch.ones(3, 4), "centers": torch.ones(5, 4), "sigmas": torch.ones(2)}
    with pytest.raises(ValueError, match=f"parzen_log_likelihood: {message}"):
        parzen_log_likelihood(**(good | change))


def test_bandwidths_may_be_numbers() -> None:
    points, centers = torch.randn(3, 4), torch.randn(5, 4)
    expected = parzen_log_likelihood(points, centers, torch.tensor([0.5, 2.0]))
    assert parzen_log_likelihood(points, centers, [0.5, 2]).equal(expected)
    assert parzen_log_likelihood(points, centers, 0.5).equal(expected[:1])
