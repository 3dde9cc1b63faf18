"""adversarial_loss: known values, loops in Python's floats, and gradients."""

import math

import pytest
import torch
from torch import Tensor

from ganbench_kernels import adversarial_loss
from ganbench_kernels.objectives import OBJECTIVES

# A mean of n rounded terms of size up to 1e4.
RELATIVE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2}


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def slow_loss(real: Tensor, fake: Tensor, objective: str) -> tuple[float, float]:
    """One logit at a time, from the formulas that people read."""
    losses, names = OBJECTIVES[objective], {"softplus": softplus, "max": max}
    pairs = list(zip(real.tolist(), fake.tolist(), strict=True))
    means = [
        math.fsum(eval(formula, {"__builtins__": {}}, names | {"r": r, "f": f}) for r, f in pairs)
        for formula in (losses.discriminator, losses.generator)
    ]
    return means[0] / len(pairs), means[1] / len(pairs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("n", [1, 63, 100, 784, 1271])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_equals_one_logit_at_a_time(objective: str, n: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(n)
    real, fake = (10 * torch.randn(2, n, generator=generator)).to(dtype)
    exact = slow_loss(real, fake, objective)
    for actual, expected in zip(adversarial_loss(real, fake, objective), exact, strict=True):
        assert math.isclose(actual, expected, rel_tol=RELATIVE[dtype], abs_tol=RELATIVE[dtype])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_huge_logits_stay_finite_and_right(objective: str) -> None:
    logits = torch.tensor([1e4, -1e4, 0.0, 1e4], requires_grad=True)
    other = torch.tensor([-1e4, 1e4, 0.0, 1e4], requires_grad=True)
    losses = adversarial_loss(logits, other, objective)
    exact = slow_loss(logits.detach(), other.detach(), objective)
    sum(losses).backward()
    for actual, expected in zip(losses, exact, strict=True):
        assert math.isclose(actual.item(), expected, rel_tol=RELATIVE[torch.float32])
    for tensor in (logits, other):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_small_losses_are_not_rounded_away() -> None:
    logits = torch.full((4,), 30.0)
    discriminator, generator = adversarial_loss(logits, logits, "non_saturating")
    assert math.isclose(generator, math.exp(-30), rel_tol=1e-6)
    assert math.isclose(discriminator, 15 + math.exp(-30), rel_tol=1e-6)


def test_an_undecided_discriminator_has_the_papers_values() -> None:
    zeros = torch.zeros(2, 5, dtype=torch.float64)
    discriminator, generator = adversarial_loss(zeros, zeros, "minimax")
    torch.testing.assert_close(discriminator, torch.full((2,), math.log(2.0)).double())
    torch.testing.assert_close(generator, torch.full((2,), -math.log(2.0)).double())


@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_equal_finite_differences(objective: str, lead: tuple[int, ...]) -> None:
    real, fake = (torch.randn(*lead, 7, dtype=torch.float64, requires_grad=True) for _ in "rf")
    assert torch.autograd.gradcheck(lambda *t: adversarial_loss(*t, objective), (real, fake))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_nan_spoils_its_seed_only(objective: str) -> None:
    real, fake = torch.randn(2, 5), torch.randn(2, 5)
    fake[1, 3] = torch.nan
    for loss in adversarial_loss(real, fake, objective):
        assert loss.isnan().tolist() == [False, True]


def test_order_of_examples_does_not_matter_and_views_work() -> None:
    both = torch.randn(9, 2, dtype=torch.float64).T
    losses = adversarial_loss(both[0], both[1], "hinge")
    flipped = adversarial_loss(both[0].flip(0), both[1].flip(0).contiguous(), "hinge")
    torch.testing.assert_close(losses, flipped)


def test_no_examples_give_nan() -> None:
    for loss in adversarial_loss(torch.ones(2, 0), torch.ones(2, 0), "minimax"):
        assert loss.isnan().all()


def test_what_does_not_fit_is_named() -> None:
    logits = torch.ones(3)
    with pytest.raises(ValueError, match=r"fake_logits: should have shape \[3\], got \[4\]"):
        adversarial_loss(logits, torch.ones(4), "hinge")
    with pytest.raises(ValueError, match=r"real_logits: should be \[S, N\] or \[N\], got \[\]"):
        adversarial_loss(logits[0], logits[0], "hinge")
    with pytest.raises(ValueError, match=r"objective: unknown, got 'wgan'; choose one of non_sat"):
        adversarial_loss(logits, logits, "wgan")
    with pytest.raises(ValueError, match=r"fake_logits: should be torch.float32 on cpu as real_l"):
        adversarial_loss(logits, logits.double(), "hinge")
