"""Missing values in the data layer: NaN or masks in files, and splits that carry them."""

import numpy as np
import pytest

from tfvae.data import DataError, load, load_examples
from tfvae.data.checks import check_name

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
X[RNG.uniform(size=X.shape) < 0.3] = np.nan


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_nan_is_an_error_unless_it_is_a_missing_value(tmp_path):
    np.save(tmp_path / "table.npy", X)
    with pytest.raises(DataError, match="load the data with missing='nan'"):
        load(tmp_path / "table.npy")
    check_name(tmp_path / "table.npy", missing="nan")
    splits = load(tmp_path / "table.npy", missing="nan")
    assert [len(split) for split in splits.all.values()] == [32, 4, 4]
    whole = load_examples(tmp_path / "table.npy", missing="nan")
    np.testing.assert_array_equal(whole.observed, ~np.isnan(X))
    np.testing.assert_array_equal(whole.raw, np.nan_to_num(X))
    rows = {row.tobytes(): mask for row, mask in zip(whole.raw, whole.observed, strict=True)}
    for split in splits.all.values():  # cut in one order
        np.testing.assert_array_equal(split.observed, [rows[row.tobytes()] for row in split.raw])


def test_masks_of_levels_and_of_images(tmp_path):
    images = RNG.integers(0, 256, (12, 4, 4), np.uint8)
    mask = RNG.uniform(size=images.shape) < 0.5
    path = saved(
        tmp_path / "own.npz", x_train=images, seen_train=mask, x_test=images[:3], seen_test=mask[:3].astype("u1")
    )
    check_name(path, missing="seen")
    splits = load(path, missing="seen")
    assert splits.num_levels == 256
    np.testing.assert_array_equal(splits.train.observed, mask[..., np.newaxis])
    np.testing.assert_array_equal(splits.train.raw, np.where(mask, images, 0)[..., np.newaxis])
    batch = next(iter(splits.test.batches(3)))
    np.testing.assert_array_equal(batch["observed"], mask[:3, ..., np.newaxis])
    binary = np.where(mask, images % 2, np.nan)
    assert load(saved(tmp_path / "bits.npz", x=binary), missing="nan").num_levels == 2


def test_values_in_the_place_of_missing_ones_are_ignored(tmp_path):
    path = saved(tmp_path / "own.npz", x=X, seen=~np.isnan(X))
    np.testing.assert_array_equal(load_examples(path, missing="seen").observed, ~np.isnan(X))
    wrong = saved(tmp_path / "wrong.npz", x=X, seen=np.ones(X.shape, bool))
    with pytest.raises(DataError, match="not finite"):
        load(wrong, missing="seen")


@pytest.mark.parametrize(
    ("arrays", "missing", "message"),
    [
        ({"x": X}, "seen", "no array 'seen' for the mask of observed values"),
        ({"x": X, "seen": np.ones(40, bool)}, "seen", "must be boolean, False at missing values"),
        ({"x": X, "seen": np.full(X.shape, 2)}, "seen", "must be boolean, False at missing values"),
        ({"x": np.full((20, 2), np.nan)}, "nan", "All values .* are missing"),
        ({"x": np.full((20, 2), np.inf)}, "nan", "not finite"),
    ],
)
def test_what_does_not_fit_is_one_error(tmp_path, arrays, missing, message):
    with pytest.raises(DataError, match=message):
        load(saved(tmp_path / "own.npz", **arrays), missing=missing)


def test_only_files_have_missing_values(tmp_path):
    with pytest.raises(DataError, match="missing must be"):
        load("digits", missing="nan")
    np.save(tmp_path / "own.npy", X)
    with pytest.raises(DataError, match="missing must be"):
        load(tmp_path / "own.npy", missing="seen")
