"""The validation split that a run takes from the training examples of data without one."""

import numpy as np
import pytest

from tfvae.data import write_shards
from tfvae.data.splits import make_splits
from tfvae.training import RunConfig
from tfvae.training.load_data import load_data

X = np.arange(120, dtype="float32").reshape(40, 3) + 0.5


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=X, y_train=np.arange(40) % 2, x_test=-X[:5], y_test=np.arange(5) % 2)
    return path


def config_of(path, **tables):
    return RunConfig.from_dict({"data": {"name": str(path)}}, tables)


def test_a_tenth_of_own_training_data_chooses_the_model(file):
    splits = load_data(config_of(file))
    sizes = {name: len(split) for name, split in splits.all.items()}
    assert sizes == {"train": 36, "validation": 4, "test": 5}
    assert splits.validation.name == "own/validation"
    both = np.concatenate([splits.train.raw, splits.validation.raw])
    np.testing.assert_array_equal(both[np.argsort(both[:, 0])], X)
    np.testing.assert_array_equal(splits.validation.labels, (splits.validation.raw[:, 0] // 3).astype(int) % 2)
    again = load_data(config_of(file, training={"seed": 5}))
    np.testing.assert_array_equal(again.validation.raw, splits.validation.raw)


def test_labels_and_conditions_stay_with_their_examples(file):
    splits = load_data(config_of(file, model={"kind": "m2"}))
    assert splits.validation.class_names == splits.train.class_names
    np.testing.assert_array_equal(splits.validation.labels, (splits.validation.raw[:, 0] // 3).astype(int) % 2)
    splits = load_data(config_of(file, data={"condition": "label"}))
    assert splits.validation.condition.shape == (4, 2)


def test_it_can_be_left_out(file):
    assert load_data(config_of(file, data={"validation_split": 0})).validation is None
    with pytest.raises(ValueError, match=r"data\.validation_split must be a number from 0 to below 1"):
        config_of(file, data={"validation_split": 1})


def test_data_with_a_validation_split_few_data_and_shards_stay_as_they_are(tmp_path):
    for name, arrays, expected in (
        ("own", {"x_train": X, "x_validation": X[:7], "x_test": X[:5]}, 7),
        ("few", {"x_train": X[:9], "x_test": X[:5]}, None),
    ):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        validation = load_data(config_of(tmp_path / f"{name}.npz")).validation
        assert (None if validation is None else len(validation)) == expected
    splits = make_splits("own", {"train": X, "test": X[:5]}, {}, "own")
    assert load_data(config_of(write_shards(splits, tmp_path / "shards"))).validation is None


def test_earlier_runs_and_named_data_have_none(file, tmp_path):
    (tmp_path / "config.toml").write_text(f'[data]\nname = "{file}"\n')
    assert RunConfig.of_run(tmp_path / "config.toml").data.validation_split == 0
    assert RunConfig.from_dict({"data": {"name": "mnist"}}).data.validation_split == 0
