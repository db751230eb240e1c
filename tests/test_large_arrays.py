"""The first look of `fit` at a large array: checks and the copy to the device."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae import layers
from tfvae._chunks import in_chunks
from tfvae.execution.device_copy import on_device
from tfvae.models._checks import check_values

LARGE = (3_001, 1_000)  # 12 MB in several chunks, the last one smaller


def test_chunks_cover_the_rows_in_order():
    x = np.arange(3_001_000, dtype="float32").reshape(LARGE)
    chunks = list(in_chunks(lambda rows: x[rows], x))
    assert len(chunks) > 5
    np.testing.assert_array_equal(np.concatenate(chunks), x)
    assert [len(chunk) for chunk in in_chunks(lambda rows: x[:7][rows], x[:7])] == [7]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_copies_to_the_device(dtype):
    x = np.random.default_rng(0).normal(size=LARGE).astype(dtype)
    for array in (x, x[::2, ::-1], x[:3]):
        tensor = on_device(array, "float32")
        before = tensor.numpy()
        np.testing.assert_array_equal(before, array.astype("float32"))
        np.testing.assert_array_equal(tensor[1, 1:], before[1, 1:])  # TensorFlow requires an aligned buffer here
        array[0] = 7.0
        np.testing.assert_array_equal(tensor, before)


def test_overflows_as_in_a_cast():
    with np.errstate(over="raise"):
        assert np.isinf(on_device(np.full((2, 2), 1e300), "float32")).all()
    assert on_device(np.full((2, 2), 1e300), "float64").dtype == tf.float64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"x has 1 values that are NaN or infinite, the first at index \(2999, 5\).*missing='nan'"),
        (np.inf, r"x has 1 values that are NaN or infinite, the first at index \(2999, 5\).*training\.$"),
        (-0.5, r"requires x in \[0, 1\], but x lies in \[-0.5, 0\]"),
        (1.5, r"requires x in \[0, 1\], but x lies in \[0, 1.5\]"),
    ],
)
def test_checks_every_chunk(value, message):
    x = np.zeros(LARGE, "float32")
    check_values(x, layers.IndependentBernoulli(1_000))
    x[2_999, 5] = value
    with pytest.raises(ValueError, match=message):
        check_values(x, layers.IndependentBernoulli(1_000))
