"""The random bits of every dropout mask: Philox 4x32-10, in plain torch.

The key is the 64-bit seed, low word first. The counter's words are the index of a block of
elements, zero, and the low and high half of the 64-bit offset, so the masks of different offsets
never share a counter. A block is as many consecutive elements of one seed's slice (row-major,
whatever its shape) as one Philox call has lanes: 8 lanes of 16 bits, or 128 lanes of one bit when
half are kept. The words come in order and within a word the low bits come first. So an element's
lane depends on its seed, the offset and its index inside its seed's slice, never on how many seeds
run together. A lane below keep times the number of its values keeps its element.

Source: Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
"""

from collections.abc import Sequence
from functools import cache

import torch

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF
LANES = 1 << 16
BYTE_COPIES = 0x0101010101010101
BIT_OF_BYTE = 0x8040201008040201 - (1 << 64)


def keep_lanes(keep: float) -> int:
    """Returns how many of the 65,536 values of a lane keep their element.

    Raises:
        ValueError: `keep` is not a probability in (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"dropout: keep: not in (0, 1], got {keep}; give the keep probability")
    return round(keep * LANES)


def philox(
    counter: tuple[torch.Tensor, ...], key: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Returns the four output words of each counter; their low 32 bits count.

    Args:
        counter: four int64 tensors of 32-bit words that broadcast together.
        key: two int64 tensors of 32-bit words that broadcast with the counter.
    """
    c0, c1, c2, c3 = counter
    # Keys of all rounds at once: small tensors, whose cost is the number of calls.
    rounds = torch.arange(ROUNDS, device=key[0].device)
    keys = [
        ((word.unsqueeze(-1) + step * rounds) & WORD).unbind(-1)
        for word, step in zip(key, KEY_STEPS, strict=True)
    ]
    for k0, k1 in zip(*keys, strict=True):
        # A product's upper half passes 2**63 and comes back signed: cut after shifting. Lower
        # halves are only ever xored into something that is cut.
        low0, low1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0 = ((low1 >> 32) ^ c1 ^ k0).bitwise_and_(WORD)
        c2 = ((low0 >> 32) ^ c3 ^ k1).bitwise_and_(WORD)
        c1, c3 = low1, low0
    return c0, c1, c2, c3


def dropout_masks(
    shapes: Sequence[torch.Size],
    keeps: Sequence[float],
    seed: torch.Tensor,
    offset: torch.Tensor,
) -> list[torch.Tensor]:
    """Returns masks of consecutive offsets, as booleans: which elements of each shape are kept.

    Together they cost little more than the largest one alone.

    Args:
        shapes: of each mask; [S, ...] where `seed` is [S], any where it is 0-d.
        keeps: keep probability of each mask, in (0, 1].
        seed: int64 keys.
        offset: int64, 0-d: of the first mask in the seed's sequence.
    """
    seeds = seed.reshape(-1, 1)
    count = max(seeds.numel(), 1)
    thresholds = [keep_lanes(keep) for keep in keeps]
    # Blocks of all masks lie side by side, each with the number of its mask, so that the rounds run
    # once over all of them.
    sizes = [shape.numel() // count for shape in shapes]
    counts = [blocks(*both) for both in zip(sizes, thresholds, strict=True)]
    block, number = _places(tuple(counts), seed.device)
    # int32 keeps the low 32 bits; a little-endian int16 view then gives the lanes in order.
    bits = torch.stack(words(block, seeds, offset + number), -1).to(torch.int32)
    # The last block of a mask may be longer than the mask.
    masks = []
    for part, shape, size, threshold in zip(
        bits.split(counts, 1), shapes, sizes, thresholds, strict=True
    ):
        kept = _lanes_below(part.contiguous(), threshold)
        masks.append(kept.reshape(count, -1)[:, :size].reshape(shape).contiguous())
    return masks


def dropout_mask(
    shape: torch.Size, keep: float, seed: torch.Tensor, offset: torch.Tensor
) -> torch.Tensor:
    """Returns which elements of a tensor of `shape` are kept; arguments as `dropout_masks`."""
    return dropout_masks([shape], [keep], seed, offset)[0]


def is_one_bit(threshold: int) -> bool:
    """Returns whether half are kept, so that a lane is one bit; the bit 0 keeps."""
    return 2 * threshold == LANES


def blocks(size: int, threshold: int) -> int:
    """Returns how many Philox calls draw a mask of `size` elements."""
    return -(-size // (128 if is_one_bit(threshold) else 8))


def words(
    block: torch.Tensor, seeds: torch.Tensor, offset: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Returns the four words of blocks of masks, int64 [S, B]; their low 32 bits count.

    Args:
        block: index of each block in its mask, [1, B].
        seeds: int64 keys [S, 1].
        offset: int64, 0-d or [1, B]: of the block's mask.
    """
    drawn = philox(
        (block, torch.zeros_like(block[:, :1]), offset & WORD, (offset >> 32) & WORD),
        (seeds & WORD, (seeds >> 32) & WORD),
    )
    return torch.broadcast_tensors(*drawn)


@cache
def _places(counts: tuple[int, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The index of each block in its mask, and the number of its mask, [1, B] or [1, 1]."""
    index = torch.cat([torch.arange(count) for count in counts])
    number = torch.arange(len(counts))
    if len(counts) > 1:
        number = number.repeat_interleave(torch.tensor(counts))
    return index.reshape(1, -1).to(device), number.reshape(1, -1).to(device)


def _lanes_below(bits: torch.Tensor, threshold: int) -> torch.Tensor:
    """Which lanes of blocks [S, B, 4], int32, lie below the threshold, in order."""
    if is_one_bit(threshold):
        # Each byte is copied to the eight bytes of an int64, of which byte i keeps bit i.
        spread = bits.view(torch.uint8).to(torch.int64).mul_(BYTE_COPIES).bitwise_and_(BIT_OF_BYTE)
        return spread.view(torch.uint8) == 0
    # Signed lanes in the order of unsigned ones.
    return (bits.view(torch.int16) ^ -(LANES // 2)) < threshold - LANES // 2
