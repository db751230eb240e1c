"""Examples of different lengths."""

import numpy as np
import pytest

from tfvae.data import DataError, load, pad


def test_series_are_padded_at_the_end():
    x, observed = pad([np.full((3, 2), 1.0), np.full((1, 2), 2.0)])
    np.testing.assert_array_equal(x, [[[1, 1], [1, 1], [1, 1]], [[2, 2], [0, 0], [0, 0]]])
    np.testing.assert_array_equal(observed, x > 0)
    assert (x.dtype, observed.dtype) == (np.float32, bool)


def test_volumes_are_padded_along_each_axis():
    x, observed = pad([np.ones((2, 1, 3), "uint8"), np.ones((1, 2, 2), "uint8")])
    assert (x.shape, x.dtype) == ((2, 2, 2, 3), np.uint8)
    assert observed.sum(axis=(1, 2, 3)).tolist() == [6, 4]
    np.testing.assert_array_equal(x == 1, observed)


def test_padded_series_are_loaded_from_a_file(tmp_path):
    draw = np.random.default_rng(0)
    x, observed = pad([draw.normal(size=(length, 2)) for length in draw.integers(3, 9, 30)])
    np.savez(tmp_path / "series.npz", x=x, observed=observed)
    splits = load(tmp_path / "series.npz", missing="observed")
    assert splits.train.observed.sum() + splits.validation.observed.sum() + splits.test.observed.sum() == observed.sum()


def test_objects_in_a_file_are_not_unpickled_and_the_message_says_how_to_pad(tmp_path):
    objects = np.empty(2, object)
    objects[:] = [np.ones(3), np.ones(2)]
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", x=objects)
    for name in ("objects.npy", "objects.npz"):
        with pytest.raises(
            DataError, match=r"arrays of different lengths, which tfvae\.data\.pad.*unpickling runs code"
        ):
            load(tmp_path / name)


@pytest.mark.parametrize("arrays", [[], [np.ones(3), np.ones((3, 2))], [1.0, 2.0], [["a"], ["b", "c"]]])
def test_what_cannot_be_padded_is_refused(arrays):
    with pytest.raises(DataError, match="Examples must"):
        pad(arrays)
