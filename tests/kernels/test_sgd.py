"""sgd_momentum_max_norm_: against numpy, one unit at a time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganbench_kernels import sgd_momentum_max_norm_

LR, MOMENTUM, BOUND = 0.1, 0.7, 1.9
# Every arithmetic step rounds once in this many bits.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 2e-2}


def state(dtype: torch.dtype) -> tuple[list[Tensor], ...]:
    """A linear weight, a maxout weight and bias, a bias: values, velocities, gradients."""
    generator = torch.Generator().manual_seed(1)
    shapes = (3, 1271), (2, 5, 4, 63), (2, 5, 4), (7,)
    return tuple(
        [torch.randn(shape, generator=generator).to(dtype) for shape in shapes] for _ in "pvg"
    )


def slow_step(
    parameter: Tensor, velocity: Tensor, gradient: Tensor, bound: float | None
) -> tuple[np.ndarray, np.ndarray]:
    p, v, g = (tensor.double().numpy() for tensor in (parameter, velocity, gradient))
    v = MOMENTUM * v - LR * g
    p = p + v
    for unit in np.ndindex(p.shape[:-1]) if bound is not None else ():
        norm = np.sqrt((p[unit] ** 2).sum())
        if norm > bound:
            p[unit] *= bound / norm
    return p, v


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("as_tensors", [False, True])
def test_equals_numpy_one_unit_at_a_time(dtype: torch.dtype, as_tensors: bool) -> None:
    parameters, velocities, gradients = state(dtype)
    bounds = [BOUND, BOUND, None, None]
    inputs = zip(parameters, velocities, gradients, bounds, strict=True)
    exact = [slow_step(*each) for each in inputs]
    rates = [
        torch.tensor(rate, dtype=torch.float64) if as_tensors else rate for rate in (LR, MOMENTUM)
    ]
    sgd_momentum_max_norm_(parameters, velocities, gradients, *rates, bounds)
    for parameter, velocity, (p, v) in zip(parameters, velocities, exact, strict=True):
        np.testing.assert_allclose(parameter.double(), p, atol=TOLERANCE[dtype])
        np.testing.assert_allclose(velocity.double(), v, atol=TOLERANCE[dtype])


def test_a_unit_inside_its_bound_or_without_weights_stays() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    still = [torch.zeros(3, 2)]
    sgd_momentum_max_norm_([weight], still, still, LR, MOMENTUM, [1.0])
    torch.testing.assert_close(weight, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


def test_a_rate_of_zero_and_no_momentum_change_nothing() -> None:
    parameters, velocities, gradients = state(torch.float32)
    before = [parameter.clone() for parameter in parameters]
    sgd_momentum_max_norm_(parameters, velocities, gradients, 0.0, 0.0, None)
    assert all(torch.equal(a, b) for a, b in zip(parameters, before, strict=True))


def test_parameters_that_require_gradients_are_updated() -> None:
    weight = torch.ones(2, 3, requires_grad=True)
    sgd_momentum_max_norm_([weight], [torch.zeros(2, 3)], [torch.ones(2, 3)], 0.5, 0.0, None)
    assert torch.equal(weight.detach(), torch.full((2, 3), 0.5))


def test_nan_spoils_its_unit_only() -> None:
    weight, zeros = torch.ones(3, 4), torch.zeros(3, 4)
    gradient = zeros.clone()
    gradient[1, 2] = torch.nan
    sgd_momentum_max_norm_([weight], [zeros], [gradient], LR, MOMENTUM, [1.0])
    assert weight.isnan().any(1).tolist() == [False, True, False]


def test_what_does_not_fit_is_named() -> None:
    def step(parameter: Tensor, velocity: Tensor, gradient: Tensor, bounds: list[float]) -> None:
        sgd_momentum_max_norm_([parameter], [velocity], [gradient], LR, MOMENTUM, bounds)

    ones = torch.ones(2, 3)
    op = "sgd_momentum_max_norm_"
    with pytest.raises(ValueError, match=rf"{op}: parameters, .* got \[1, 1, 1, 2\]; give one"):
        step(ones, ones, ones, [1.0, 2.0])
    with pytest.raises(ValueError, match=rf"{op}: gradient: should have shape \[2, 3\]"):
        step(ones, ones, torch.ones(3, 2), [1.0])
    with pytest.raises(ValueError, match=rf"{op}: velocity: should be contiguous, got strides"):
        step(ones, torch.ones(3, 2).T, ones, [1.0])
    with pytest.raises(ValueError, match=rf"{op}: velocity: should be torch.float32 on cpu as p"):
        step(ones, ones.double(), ones, [1.0])
    sgd_momentum_max_norm_([], [], [], LR, MOMENTUM, None)
