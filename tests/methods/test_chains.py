"""Reading samples off chains, with a chain that counts its steps."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.config.methods import Chains
from ganbench.methods import chains


def counted(count: int, **settings: Any) -> list[float]:
    """Samples of chains whose state is its number plus a thousandth a step."""
    way = Chains(**settings)
    stream = torch.Generator().manual_seed(0)
    state = torch.arange(min(way.chains, count)).double()[:, None]
    rows = chains.read(way, count, state, lambda x: x + 1e-3, lambda x: x, stream)
    return [round(value, 3) for value in rows[:, 0].tolist()]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"chains": 1}, [0.001, 0.002, 0.003, 0.004, 0.005]),
        ({"chains": 1, "burn_in": 100, "thin": 10}, [0.110, 0.120, 0.130, 0.140, 0.150]),
        ({"chains": 2}, [0.001, 1.001, 0.002, 1.002, 0.003]),
        ({"chains": 9, "burn_in": 2}, [0.003, 1.003, 2.003, 3.003, 4.003]),
    ],
)
def test_states_are_kept_as_burn_in_and_thinning_say(
    settings: dict[str, int], expected: list[float]
) -> None:
    assert counted(5, **settings) == expected


def test_chains_start_at_different_training_images_while_there_are_enough() -> None:
    train = torch.arange(6.0)[:, None]
    stream = torch.Generator().manual_seed(0)
    start = chains.first_pixels(Chains(chains=4), 10, train, stream)[:, 0].tolist()
    assert len(set(start)) == 4
    start = chains.first_pixels(Chains(chains=12), 20, train, stream)[:, 0].tolist()
    assert sorted(start) == sorted([*range(6)] * 2)
    assert len(chains.first_pixels(Chains(chains=12), 5, train, stream)) == 5


def test_chains_from_noise_see_no_training_image() -> None:
    stream = torch.Generator().manual_seed(0)
    start = chains.first_pixels(
        Chains(chains=500, start="noise"), 500, torch.full((2, 3), 7.0), stream
    )
    assert start.shape == (500, 3)
    assert start.mean().item() == pytest.approx(0.5, abs=0.05)
    assert start.std().item() == pytest.approx(12**-0.5, abs=0.03)


def test_binary_pixels_have_the_means_as_probabilities() -> None:
    means = torch.tensor([[0.0, 0.2, 0.9, 1.0]]).expand(20_000, 4)

    def same(state: Tensor) -> Tensor:
        return state

    stream = torch.Generator().manual_seed(0)
    rows = chains.read(Chains(chains=20_000, pixels="binary"), 20_000, means, same, same, stream)
    assert set(rows.unique().tolist()) == {0.0, 1.0}
    # Five standard errors of a mean of 20,000.
    torch.testing.assert_close(rows.mean(0), means[0], atol=5 * 0.5 / 20_000**0.5, rtol=0)
