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
    k0, k1 = key
    for _ in range(ROUNDS):
        # A product's upper half passes 2**63 and comes back signed: cut after shifting. Lower
        # halves are only ever xored into something that is cut.
        low0, low1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0 = ((low1 >> 32) ^ c1 ^ k0).bitwise_and_(WORD)
        c2 = ((low0 >> 32) ^ c3 ^ k1).bitwise_and_(WORD)
        c1, c3 = low1, low0
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return c0, c1, c2, c3


def dropout_mask(
    shape: torch.Size, keep: float, seed: torch.Tensor, offset: torch.Tensor
) -> torch.Tensor:
    """Returns which elements of a tensor of `shape` are kept, as booleans.

    Args:
        shape: [S, ...] where `seed` is [S]; any shape where it is 0-d.
        keep: keep probability, in (0, 1].
        seed: int64 keys.
        offset: int64, 0-d: which mask of the seed's sequence.
    """
    threshold = keep_lanes(keep)
    seeds = seed.reshape(-1, 1)
    size = shape.numel() // max(seeds.numel(), 1)
    lanes = 128 if 2 * threshold == LANES else 8
    block = torch.arange(-(-size // lanes), device=seed.device).reshape(1, -1)
    offset = offset.reshape(1, 1)
    words = philox(
        (block, torch.zeros_like(offset), offset & WORD, (offset >> 32) & WORD),
        (seeds & WORD, (seeds >> 32) & WORD),
    )
    # int32 keeps the low 32 bits; a little-endian int16 view then gives the lanes in order.
    bits = torch.stack(torch.broadcast_tensors(*words), -1).to(torch.int32)
    if lanes == 128:
        # Each byte is copied to the eight bytes of an int64, of which byte i keeps bit i.
        spread = bits.view(torch.uint8).to(torch.int64).mul_(BYTE_COPIES).bitwise_and_(BIT_OF_BYTE)
        kept = spread.view(torch.uint8) == 0
    else:
        # Signed lanes in the order of unsigned ones.
        kept = (bits.view(torch.int16) ^ -(LANES // 2)) < threshold - LANES // 2
    return kept.reshape(seeds.numel(), -1)[:, :size].reshape(shape).contiguous()
