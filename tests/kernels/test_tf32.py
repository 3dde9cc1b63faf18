"""What rounding TF32's factors costs, and what cutting them does, on what an H100 measured."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganbench_kernels.affine_maxout import op as maxout_op

SIZES = 2, 63, 100, 24, 3  # seeds, rows, inputs, units, pieces
# On 26 November 2026, of maxout with these inputs: errors of the kernel and of eager torch.
KERNEL_ERROR, EAGER_ERROR = 0.0058, 0.0023
UNIT = 2.0**-11  # half a unit in TF32's last place, relative


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def round_to_tf32(x: Tensor) -> Tensor:
    """To the nearest, which needs an instruction that Triton's products do without."""
    return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


@pytest.fixture
def errors(cut_to_tf32: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Errors over exact outputs, of products that are exact but for their factors."""
    s, n, d, u, p = SIZES
    x, weight, bias = randn(s, n, d), randn(s, p, u, d) / d**0.5, randn(s, p, u).double()
    mask = 0.5, torch.arange(s), torch.tensor(3)

    def maxout(form: Callable[[Tensor], Tensor]) -> Tensor:
        factors = form(x).double(), form(weight).double()
        return maxout_op._forward(*factors, bias, *mask, "reference")[0]

    exact = maxout(lambda factor: factor)
    forms = {"cut": cut_to_tf32, "rounded": round_to_tf32}
    return {"exact": exact} | {name: maxout(form) - exact for name, form in forms.items()}


def test_cut_factors_explain_what_a_gpu_measured(errors: dict[str, Tensor]) -> None:
    assert errors["cut"].abs().max().item() == pytest.approx(KERNEL_ERROR, abs=5e-5)
    assert errors["rounded"].abs().max().item() == pytest.approx(EAGER_ERROR, abs=5e-5)


def test_cut_factors_shrink_every_output(errors: dict[str, Tensor]) -> None:
    """Rounding errors of both signs average out, those of cutting all point to zero.

    A factor loses UNIT times 1 / mantissa on average, 0.72 UNIT where mantissas of 1 to 2 are
    spread as in nature; a product loses that of both.
    """
    exact = errors["exact"]
    shrinks = {name: -(errors[name] * exact).sum() / exact.square().sum() for name in errors}
    assert abs(shrinks["rounded"]) < 0.01 * UNIT
    # The bias, which is part of the output, is in no product.
    assert 0.5 * UNIT < shrinks["cut"] < 2 * 0.72 * UNIT
