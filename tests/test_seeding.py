"""Streams are named, independent and stable."""

import hashlib
from itertools import product

import torch

from ganbench.seeding import generator, stream_seed

NAMES = ("init", "data_order", "noise", "dropout", "sampling", "monitoring", "subset")


def test_a_key_is_the_hash_of_seed_name_and_indices() -> None:
    digest = hashlib.sha256(b"3:noise:1:2").digest()
    assert stream_seed(3, "noise", 1, 2) == int.from_bytes(digest[:8], "little") // 2


def test_every_stream_has_a_key_of_its_own_that_fits_int64() -> None:
    keys = [
        stream_seed(seed, name, *indices)
        for seed, name, indices in product((0, 1, 11), NAMES, ((), (0,), (1,), (1, 1), (11,)))
    ]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 2**63 for key in keys)


def test_a_stream_starts_anew_whatever_others_drew() -> None:
    expected = torch.rand(5, generator=generator(0, "noise", 4))
    torch.rand(100, generator=generator(0, "init", 4))
    torch.manual_seed(1)
    assert torch.equal(torch.rand(5, generator=generator(0, "noise", 4)), expected)
    for other in (generator(1, "noise", 4), generator(0, "noise", 5), generator(0, "init", 4)):
        assert not torch.equal(torch.rand(5, generator=other), expected)


def test_a_stream_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(0, "noise"))
    assert torch.equal(torch.get_rng_state(), before)
