"""A split on its own: scaling, fixed draws, and what it refuses to hold."""

import numpy as np
import pytest

from tfvae.data import DataError, Split, Splits


def levels(num_levels, num_examples=64):
    raw = np.arange(num_examples * 12) % num_levels
    return Split(raw.reshape(num_examples, 4, 3, 1).astype(np.uint8), num_levels=num_levels)


def test_scaling(digits):
    assert digits.train.x.dtype == np.float32
    np.testing.assert_array_equal(digits.train.x, digits.train.raw / np.float32(16))
    assert (digits.train.x.min(), digits.train.x.max()) == (0, 1)
    values = np.array([[-2.5, 3.0]], np.float32)
    np.testing.assert_array_equal(Split(values).x, values)


def test_properties(digits):
    split = digits.test
    assert len(split) == 360
    assert split.event_shape == (8, 8, 1)
    assert not split.is_binary
    assert split.in_unit_interval
    assert not Split(np.array([[0.0, 1.1]], np.float32)).in_unit_interval
    assert not Split(np.array([[0.0, -0.1]], np.float32)).in_unit_interval
    assert Split(np.array([[0.0, 1.0]], np.float32)).in_unit_interval
    assert "360 examples of shape (8, 8, 1), 17 levels" in repr(split)


def test_raw_array_is_protected_and_the_callers_is_not(digits):
    with pytest.raises(ValueError, match="read-only"):
        digits.train.raw[0] = 0
    own = np.zeros((2, 3), np.float32)
    Split(own)
    own[0] = 1


def test_take(digits):
    few = digits.train.take(5)
    np.testing.assert_array_equal(few.raw, digits.train.raw[:5])
    np.testing.assert_array_equal(few.labels, digits.train.labels[:5])
    assert (few.num_levels, few.name) == (17, digits.train.name)
    assert len(digits.test.take(10**6)) == 360
    with pytest.raises(ValueError, match="n=0"):
        digits.train.take(0)


def test_binarized_has_the_right_mean(digits):
    drawn = digits.train.binarized(seed=1)
    assert drawn.is_binary
    assert set(np.unique(drawn.raw)) == {0, 1}
    x = digits.train.x
    difference = drawn.raw.mean(dtype=np.float64) - x.mean(dtype=np.float64)
    standard_error = np.sqrt(np.sum(x * (1 - x), dtype=np.float64)) / x.size
    assert abs(difference) < 5 * standard_error
    assert (drawn.raw[digits.train.raw == 0] == 0).all()
    assert (drawn.raw[digits.train.raw == 16] == 1).all()
    np.testing.assert_array_equal(drawn.labels, digits.train.labels)


def test_binarized_is_a_function_of_the_seed():
    split = levels(256, num_examples=6000)
    np.testing.assert_array_equal(split.binarized(0).raw, split.binarized(0).raw)
    assert not np.array_equal(split.binarized(0).raw, split.binarized(1).raw)
    np.testing.assert_array_equal(split.take(5000).binarized(4).raw, split.binarized(4).take(5000).raw)


def test_binarized_floats():
    split = Split(np.tile(np.array([0.0, 0.25, 1.0], np.float32), (4000, 1)))
    means = split.binarized(0).raw.mean(axis=0)
    assert means[[0, 2]].tolist() == [0, 1]
    assert abs(means[1] - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)
    with pytest.raises(DataError, match=r"cannot be binarized.*to 2"):
        Split(np.array([[0.0, 2.0]], np.float32)).binarized(0)


def test_binary_data_are_not_drawn_again():
    split = levels(2)
    assert split.binarized(0) is split


@pytest.mark.parametrize("num_levels", [2, 17, 100, 199, 251, 255, 256])
def test_dequantized_keeps_the_level(num_levels):
    split = levels(num_levels, num_examples=4096)
    spread = split.dequantized(seed=2)
    assert spread.num_levels is None
    assert spread.raw.dtype == np.float32
    assert 0 < spread.raw.min() < spread.raw.max() < 1
    np.testing.assert_array_equal(np.floor(spread.raw * np.float32(num_levels)), split.raw)


def test_dequantized_noise_is_uniform():
    split = levels(256, num_examples=4096)
    spread = split.dequantized(seed=0)
    u = spread.raw.astype(np.float64) * 256 - split.raw
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)
    assert abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / u.size)
    np.testing.assert_array_equal(spread.raw, split.dequantized(seed=0).raw)
    assert not np.array_equal(spread.raw, split.dequantized(seed=1).raw)


def test_floats_cannot_be_dequantized():
    with pytest.raises(DataError, match="has floats, not levels"):
        Split(np.zeros((2, 3), np.float32)).dequantized(0)


@pytest.mark.parametrize("seed", [None, 1.5, "0"])
def test_seeds_are_integers(digits, seed):
    with pytest.raises(TypeError, match="data seed must be an integer"):
        digits.train.binarized(seed)


def test_any_integer_is_a_seed(digits):
    assert len(digits.train.binarized(-1)) == len(digits.train.binarized(np.int64(2**62))) == 1437


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"raw": np.zeros((0, 3), np.float32)}, "has no examples"),
        ({"raw": np.zeros(3, np.float32)}, "has no examples"),
        ({"raw": np.zeros((2, 3))}, "must be finite float32"),
        ({"raw": np.full((2, 3), np.nan, np.float32)}, "must be finite float32"),
        ({"raw": np.zeros((2, 3), np.float32), "num_levels": 2}, "must have uint8"),
        ({"raw": np.full((2, 3), 17, np.uint8), "num_levels": 17}, "from 0 to 16"),
        ({"raw": np.zeros((2, 3), np.uint8), "num_levels": 1}, "must be 2 to 256"),
        ({"raw": np.zeros((2, 3), np.uint8), "num_levels": 257}, "must be 2 to 256"),
        ({"raw": np.zeros((2, 3), np.float32), "labels": np.zeros(3, int)}, "do not fit"),
        ({"raw": np.zeros((2, 3), np.float32), "labels": np.zeros(2)}, "do not fit"),
    ],
)
def test_what_a_split_refuses(arguments, message):
    with pytest.raises(DataError, match=message):
        Split(**arguments)


def test_splits_must_belong_together():
    with pytest.raises(DataError, match="do not belong together"):
        Splits("own", levels(17), test=levels(2))
    splits = Splits("own", levels(17), test=levels(17))
    assert (splits.event_shape, splits.num_levels, splits.validation) == ((4, 3, 1), 17, None)
