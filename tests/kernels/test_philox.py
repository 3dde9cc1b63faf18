"""The dropout masks' random bits, against the generator's published vectors and a slow one."""

import numpy as np
import pytest
import torch

from ganbench_kernels.philox import dropout_mask, keep_lanes, philox

# Random123's known-answer file, philox4x32-10: counter, key, output.
KNOWN = (
    ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
)
# Five standard deviations of a mean of 200,000 fair draws.
FREQUENCY_TOLERANCE = 5 * 0.5 / 200_000**0.5


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def slow_mask(size: int, keep: float, seed: int, offset: int) -> np.ndarray:
    """One element at a time, in Python's own integers."""
    one_bit = keep == 0.5
    kept = []
    for element in range(size):
        block, lane = divmod(element, 128 if one_bit else 8)
        c = [block % 2**32, 0, offset % 2**32, (offset >> 32) % 2**32]
        k0, k1 = seed % 2**32, (seed >> 32) % 2**32
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k0, b % 2**32, (a >> 32) ^ c[3] ^ k1, a % 2**32]
            k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
        if one_bit:
            kept.append(c[lane // 32] >> (lane % 32) & 1 == 0)
        else:
            kept.append(c[lane // 2] >> (lane % 2 * 16) & 0xFFFF < round(keep * 65536))
    return np.array(kept)


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_published_vectors(counter: str, key: str, output: str) -> None:
    as_tensors = [tuple(torch.tensor(word) for word in words(text)) for text in (counter, key)]
    actual = [int(word) & 0xFFFFFFFF for word in philox(*as_tensors)]
    assert actual == words(output)


@pytest.mark.parametrize("keep", [0.5, 0.8, 0.3])
@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (2**62 + 3, 2**40 + 1), (-5, -1)])
def test_mask_equals_one_element_at_a_time(keep: float, seed: int, offset: int) -> None:
    mask = dropout_mask(torch.Size((3, 50)), keep, torch.tensor(seed), torch.tensor(offset))
    np.testing.assert_array_equal(mask.flatten().numpy(), slow_mask(150, keep, seed, offset))


def test_a_lane_equal_to_the_threshold_is_dropped() -> None:
    # The first vector's lanes: its words' low halves come first.
    lanes = [half for word in words(KNOWN[0][2]) for half in (word & 0xFFFF, word >> 16)]
    zero = torch.tensor(0)
    for element, lane in enumerate(lanes):
        for above in (0, 1):
            mask = dropout_mask(torch.Size((8,)), (lane + above) / 65536, zero, zero)
            assert mask[element].item() == bool(above)


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_mask_of_a_seed_does_not_depend_on_the_others(keep: float) -> None:
    seeds, offset = torch.tensor([3, 4, 2**60]), torch.tensor(9)
    together = dropout_mask(torch.Size((3, 7, 13)), keep, seeds, offset)
    for mask, seed in zip(together, seeds, strict=True):
        assert torch.equal(mask, dropout_mask(torch.Size((7, 13)), keep, seed, offset))


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_masks_differ_by_offset_and_seed_and_have_the_right_mean(keep: float) -> None:
    shape = torch.Size((200_000,))
    masks = [
        dropout_mask(shape, keep, torch.tensor(seed), torch.tensor(offset)).float()
        for seed, offset in ((0, 0), (0, 1), (1, 0), (0, 2**32))
    ]
    for i, mask in enumerate(masks):
        assert abs(mask.mean() - keep) < FREQUENCY_TOLERANCE
        for other in masks[:i]:
            agreement = keep**2 + (1 - keep) ** 2
            assert abs((mask == other).float().mean() - agreement) < FREQUENCY_TOLERANCE


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.5, float("nan")])
def test_keep_outside_its_range_is_refused(keep: float) -> None:
    with pytest.raises(ValueError, match=r"dropout: keep: not in \(0, 1\], got .*; give"):
        keep_lanes(keep)
