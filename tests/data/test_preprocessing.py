import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ganbench.data.preprocessing import preprocess

# Sums of 8-bit pixels are exact in float32; the rest is a handful of roundings of 6e-8 each.
RELATIVE = 1e-6
# In raw pixels: the mean and the difference from it are rounded by up to 8e-6 each (values to 255).
ROUNDING = 2e-5

image_arrays = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=4, max_dims=4, max_side=6),
    elements=st.integers(0, 254),
)


def contrast(images: np.ndarray) -> np.ndarray:
    return preprocess(torch.from_numpy(images), 255.0, "global_contrast").numpy()


def test_unit_interval_known_answer():
    images = torch.tensor([0, 51, 255, 128], dtype=torch.uint8).reshape(1, 1, 2, 2)
    pixels = preprocess(images, 255.0, "unit_interval")
    assert pixels.dtype == torch.float32
    assert pixels.flatten().tolist() == pytest.approx([0, 0.2, 1, 128 / 255], rel=RELATIVE)


def test_unit_interval_of_digits():
    images = torch.tensor([0, 4, 16, 12], dtype=torch.uint8).reshape(1, 1, 2, 2)
    assert preprocess(images, 16.0, "unit_interval").flatten().tolist() == [0, 0.25, 1, 0.75]


def test_the_raw_images_stay_as_they_are():
    images = torch.tensor([[[[3, 5]]]], dtype=torch.uint8)
    for kind in ("unit_interval", "global_contrast"):
        preprocess(images, 255.0, kind)
    assert images.tolist() == [[[[3, 5]]]]


def test_global_contrast_known_answer():
    """Pixels 1, 3, 5, 7 of two channels: mean 4, centred norm sqrt 20."""
    pixels = contrast(np.array([1, 3, 5, 7], np.uint8).reshape(1, 2, 1, 2))
    expected = 55 / math.sqrt(20) * np.array([-3, -1, 1, 3])
    np.testing.assert_allclose(pixels.ravel(), expected, rtol=RELATIVE)


def test_global_contrast_takes_each_image_by_itself():
    images = np.array([[0, 1], [100, 200]], np.uint8).reshape(2, 1, 1, 2)
    half = 55 / math.sqrt(2)
    np.testing.assert_allclose(
        contrast(images).reshape(2, 2), [[-half, half], [-half, half]], rtol=RELATIVE
    )


@settings(deadline=None)
@given(image_arrays)
def test_global_contrast_agrees_with_explicit_loops(images):
    for image, pixels in zip(images, contrast(images), strict=True):
        values = [float(value) for value in image.ravel()]
        centred = [value - math.fsum(values) / len(values) for value in values]
        norm = math.sqrt(math.fsum(value * value for value in centred)) or 1.0
        raw = pixels.ravel().astype(np.float64) / 55 * norm
        np.testing.assert_allclose(raw, centred, rtol=RELATIVE, atol=ROUNDING)


@settings(deadline=None)
@given(image_arrays)
def test_global_contrast_has_mean_0_and_norm_55(images):
    flat = contrast(images).reshape(len(images), -1).astype(np.float64)
    spread = images.reshape(len(images), -1).std(axis=1)
    expected = np.where(spread == 0, 0, 55)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), expected, rtol=RELATIVE)
    np.testing.assert_array_less(np.abs(flat.mean(axis=1)) * spread, 55 * ROUNDING)


@settings(deadline=None)
@given(image_arrays)
def test_global_contrast_ignores_brightness(images):
    spread = images.std(axis=(1, 2, 3), keepdims=True)
    change = contrast(images + np.uint8(1)) - contrast(images)
    np.testing.assert_array_less(np.abs(change) * spread, 55 * 2 * ROUNDING)


@settings(deadline=None)
@given(image_arrays, st.floats(1, 255))
def test_unit_interval_is_division(images, scale):
    pixels = preprocess(torch.from_numpy(images), scale, "unit_interval").numpy()
    np.testing.assert_allclose(pixels, images / scale, rtol=RELATIVE)
