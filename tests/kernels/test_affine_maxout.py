"""maxout in plain torch: against loops in float64, its gradients, and the engine's halves."""

import pytest
import torch
from torch import Tensor

from ganbench_kernels import Dropout, maxout, maxout_backward, maxout_forward
from ganbench_kernels.philox import dropout_mask

SIZES = (1, 63, 100, 784, 1271)
# Another order of the same sum may err as much as the first, and a little more near zero.
RELATIVE, ABSOLUTE = 2.0, {torch.float32: 1e-6, torch.bfloat16: 1e-3, torch.float64: 1e-13}


def inputs(*lead: int, n: int, d: int, u: int, p: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(n * d + u)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*lead, *shape, generator=generator, dtype=torch.float64).to(dtype)

    return draw(n, d), draw(p, u, d) / d**0.5, draw(p, u)


def slow_maxout(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One piece at a time, in float64."""
    x, weight, bias = x.double(), weight.double(), bias.double()
    pieces = [torch.stack([row @ w.T + b for row in x]) for w, b in zip(weight, bias, strict=True)]
    return torch.stack(pieces).amax(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", SIZES)
def test_equals_loops_in_float64(size: int, dtype: torch.dtype) -> None:
    x, weight, bias = inputs(n=min(size, 100), d=size, u=7, p=5, dtype=dtype)
    exact = slow_maxout(x, weight, bias)
    eager = (x @ weight.flatten(0, 1).T + bias.flatten()).unflatten(1, (5, 7)).amax(1)
    allowed = RELATIVE * (eager.double() - exact).abs().max() + ABSOLUTE[dtype]
    assert (maxout(x, weight, bias).double() - exact).abs().max() <= allowed


def test_every_seed_equals_training_it_alone() -> None:
    x, weight, bias = inputs(3, n=9, d=8, u=6, p=4, dtype=torch.float64)
    dropout = Dropout(0.5, torch.tensor([1, 2, 3]), torch.tensor(4))
    together = maxout(x, weight, bias, dropout)
    for s in range(3):
        alone = maxout(x[s], weight[s], bias[s], dropout._replace(seed=dropout.seed[s]))
        torch.testing.assert_close(together[s], alone)


@pytest.mark.parametrize("keep", [None, 0.5, 0.8])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_gradients_equal_finite_differences(lead: tuple[int, ...], keep: float | None) -> None:
    tensors = [t.requires_grad_() for t in inputs(*lead, n=4, d=5, u=6, p=3, dtype=torch.float64)]
    seed = torch.arange(2) if lead else torch.tensor(0)
    dropout = None if keep is None else Dropout(keep, seed, torch.tensor(1))
    assert torch.autograd.gradcheck(lambda *values: maxout(*values, dropout), tensors)


def test_dropout_is_the_mask_of_the_public_op() -> None:
    x, weight, bias = inputs(2, n=5, d=4, u=16, p=3, dtype=torch.float64)
    dropout = Dropout(0.8, torch.tensor([5, 6]), torch.tensor(7))
    kept = dropout_mask(torch.Size((2, 5, 16)), *dropout)
    out, which = maxout_forward(x, weight, bias, dropout)
    plain, winners = maxout_forward(x, weight, bias)
    torch.testing.assert_close(out, plain * kept / 0.8)
    assert torch.equal(which, winners.masked_fill(~kept, 255))


def test_first_piece_wins_ties() -> None:
    x, weight, bias = inputs(n=6, d=5, u=4, p=2, dtype=torch.float32)
    which = maxout_forward(x, weight.repeat(2, 1, 1), bias.repeat(2, 1))[1]
    assert which.max() <= 1


def test_nan_reaches_its_row_only() -> None:
    x, weight, bias = inputs(n=6, d=5, u=4, p=3, dtype=torch.float32)
    x[2, 1] = torch.nan
    broken = maxout(x, weight, bias).isnan()
    assert broken[2].all()
    assert broken.sum() == 4


def test_views_equal_their_copies() -> None:
    x, weight, bias = inputs(n=6, d=5, u=4, p=3, dtype=torch.float64)
    views = [t.mT.contiguous().mT for t in (x, weight, bias)]
    assert not any(view.is_contiguous() for view in views)
    torch.testing.assert_close(maxout(*views), maxout(x, weight, bias))


def test_no_rows_give_no_outputs_and_zero_gradients() -> None:
    x, weight, bias = inputs(n=0, d=5, u=4, p=3, dtype=torch.float32)
    weight.requires_grad_()
    out = maxout(x, weight, bias)
    out.sum().backward()
    assert out.shape == (0, 4)
    assert weight.grad is not None
    assert not weight.grad.any()


def test_row_weight_scales_rows_in_the_parameters_gradients_only() -> None:
    x, weight, bias = inputs(2, n=5, d=4, u=6, p=3, dtype=torch.float64)
    which = maxout_forward(x, weight, bias)[1]
    grad, row_weight = torch.randn(2, 5, 6).double(), torch.randn(2, 5).double()
    actual = maxout_backward(grad, x, weight, which, row_weight)
    plain = maxout_backward(grad, x, weight, which)
    scaled = maxout_backward(grad * row_weight.unsqueeze(-1), x, weight, which)
    for tensor, expected in zip(actual, (plain[0], *scaled[1:]), strict=True):
        torch.testing.assert_close(tensor, expected)


def test_unneeded_gradients_are_not_worked_out() -> None:
    x, weight, bias = inputs(n=5, d=4, u=6, p=3, dtype=torch.float64)
    for needed in (0, 1, 2):
        tensors = [t.clone().requires_grad_(i == needed) for i, t in enumerate((x, weight, bias))]
        maxout(*tensors).sum().backward()
        assert [t.grad is not None for t in tensors] == [i == needed for i in range(3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(3)}, r"x, weight: should be \[S, N, D\] and .*, got \[3\] and \[2, 4, 5"),
        (
            {"weight": torch.ones(2, 4, 6)},
            r"weight: should have shape \[2, 4, 5\], got \[2, 4, 6\]",
        ),
        ({"weight": torch.ones(256, 4, 5)}, r"weight: should have 1 to 255 pieces, got 256; "),
        ({"bias": torch.ones(4)}, r"bias: should have shape \[2, 4\], got \[4\]; reshape it"),
        ({"bias": torch.ones(2, 4).double()}, r"bias: should be torch.float32 on cpu as x is, got"),
        ({"x": torch.ones(3, 5).half()}, r"x: should be float32, float64 or bfloat16, got torch.f"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor], message: str) -> None:
    good = {"x": torch.ones(3, 5), "weight": torch.ones(2, 4, 5), "bias": torch.ones(2, 4)}
    with pytest.raises(ValueError, match=f"maxout: {message}"):
        maxout(**(good | change))


def test_numbers_are_no_tensors() -> None:
    x, weight, bias = torch.ones(2, 3, 5), torch.ones(2, 2, 4, 5), torch.ones(2, 2, 4)
    with pytest.raises(ValueError, match=r"maxout: argument 3: should be a tensor, got 1.0; give"):
        maxout(x, weight, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="maxout: seed: should be a tensor, got 1; give"):
        maxout(x, weight, bias, Dropout(0.5, 1, 0))  # type: ignore[arg-type]


def test_dropout_arguments_are_checked() -> None:
    x, weight, bias = torch.ones(2, 3, 5), torch.ones(2, 2, 4, 5), torch.ones(2, 2, 4)
    zero = torch.tensor(0)
    with pytest.raises(ValueError, match=r"maxout: seed: should have shape \[2\], got \[\]"):
        maxout(x, weight, bias, Dropout(0.5, zero, zero))
    with pytest.raises(ValueError, match=r"maxout: seed: should be int64, got torch.float32"):
        maxout(x, weight, bias, Dropout(0.5, torch.zeros(2), zero))


def test_backward_checks_its_shapes() -> None:
    x, weight = torch.ones(3, 5), torch.ones(2, 4, 5)
    which = torch.zeros(3, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"maxout_backward: grad: should have shape \[3, 4\]"):
        maxout_backward(torch.ones(3, 5), x, weight, which)
    with pytest.raises(ValueError, match=r"maxout_backward: row_weight: should have shape \[3\]"):
        maxout_backward(torch.ones(3, 4), x, weight, which, torch.ones(4))
