import numpy as np
import pytest
import torch

from ganbench.data.preprocessing import preprocess
from ganbench.data.rows import Images

# Means are summed in float64 and rounded to float32 once.
RELATIVE = 1e-6


@pytest.fixture
def raw() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (7, 3, 2, 2), np.uint8))


@pytest.mark.parametrize("scaling", ["unit_interval", "global_contrast"])
def test_rows_are_preprocessed_images(raw, scaling):
    images = Images(raw, 255.0, scaling)
    expected = preprocess(raw, 255.0, scaling).reshape(7, 12)
    assert len(images) == 7
    assert torch.equal(images.rows(), expected)
    assert torch.equal(images.rows(slice(2, 4)), expected[2:4])
    order = torch.tensor([5, 0, 5])
    assert torch.equal(images.rows(order), expected[order])


def test_pixel_means_known_answer():
    raw = torch.tensor([[0, 16], [8, 0], [4, 8]], dtype=torch.uint8).reshape(3, 1, 1, 2)
    means = Images(raw, 16.0, "unit_interval").pixel_means()
    assert means.tolist() == pytest.approx([0.25, 0.5], rel=RELATIVE)


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_pixel_means_do_not_depend_on_the_batch(raw, batch):
    images = Images(raw, 255.0, "global_contrast")
    expected = images.rows().double().mean(0).numpy()
    np.testing.assert_allclose(images.pixel_means(batch), expected, rtol=RELATIVE)
