"""Shards of examples with conditions and masks, and of the rows of a table."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import DataError, ShardedSplit, Split, Splits, load, load_examples, shard_batches, write_shards
from tfvae.data.sources import shards

NAMES = ("a", "b", "c")


def numbered(num_examples, dtype="float32", name="numbered"):
    """Examples (3, 2, 1) whose values, masks, conditions and labels all say their own number."""
    number = np.arange(num_examples)
    raw = (number[:, None] + np.linspace(0, 0.5, 6)).reshape(-1, 3, 2, 1).astype(dtype)
    observed = (number[:, None] + np.arange(6)).reshape(-1, 3, 2, 1) % 5 > 0
    return Split(
        np.where(observed, raw, 99).astype(dtype),
        number % 3,
        100 if dtype == "uint8" else None,
        name,
        condition=np.eye(3)[number % 3],
        observed=observed,
        class_names=("x", "y", "z"),
        condition_names=NAMES,
    )


@pytest.fixture(params=["float32", "uint8"])
def splits(request):
    return Splits("numbered", numbered(90, request.param), None, numbered(31, request.param))


@pytest.fixture
def folder(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_IN_MEMORY_BYTES", 0)
    return write_shards(splits, tmp_path / "shards", shard_size=25, condition="kind")


def test_what_is_written_is_read(folder, splits):
    found = load(folder, condition="kind")
    assert isinstance(found.test, ShardedSplit)
    assert "conditions of shape (3,), missing values" in repr(found.train)
    for split, stored in ((found.test, splits.test), (found.train, splits.train)):
        assert split.class_names == ("x", "y", "z")
        assert (split.condition_names, split.condition_shape, split.has_missing) == (NAMES, (3,), True)
        read = split.take(len(split))
        order = np.argsort(read.raw.max(axis=(1, 2, 3)), kind="stable") if split is found.train else slice(None)
        read = read.rows(order)
        np.testing.assert_array_equal(read.observed, stored.observed)
        np.testing.assert_array_equal(read.raw, np.where(stored.observed, stored.raw, 0))
        np.testing.assert_array_equal(read.condition, stored.condition)
        np.testing.assert_array_equal(read.labels, stored.labels)
    assert found.test.value_range == splits.test.value_range or found.num_levels is None
    assert found.test.value_range[1] < 99, "missing values do not count"


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_keep_the_parts_of_an_example_together(folder, splits, shuffle, monkeypatch):
    monkeypatch.setattr(shard_batches, "_WINDOW_BYTES", 2000)
    train = load(folder, condition="kind").train
    dataset = train.batches(20, shuffle=shuffle, seed=1, labels=True)
    spec, label_spec = dataset.element_spec
    assert {name: part.shape.as_list() for name, part in spec.items()} == {
        "x": [None, 3, 2, 1],
        "condition": [None, 3],
        "observed": [None, 3, 2, 1],
    }
    assert (spec["observed"].dtype, label_spec.dtype) == (tf.bool, tf.int64)
    passes = [list(dataset.as_numpy_iterator()) for _ in range(2)]
    for found in passes:
        x, observed, condition = (
            np.concatenate([batch[name] for batch, _ in found]) for name in ("x", "observed", "condition")
        )
        labels = np.concatenate([y for _, y in found])
        assert not x[~observed].any()
        numbers = np.floor(np.rint(x.max(axis=(1, 2, 3)) * (99 if splits.num_levels else 1) * 64) / 64).astype(int)
        np.testing.assert_array_equal(np.sort(numbers), np.arange(90))
        np.testing.assert_array_equal(observed, splits.train.observed[numbers])
        np.testing.assert_array_equal(condition.argmax(axis=1), numbers % 3)
        np.testing.assert_array_equal(labels, numbers % 3)
    assert np.array_equal(passes[0][0][1], passes[1][0][1]) != shuffle
    again = next(load(folder, condition="kind").train.batches(20, shuffle=shuffle, seed=1).as_numpy_iterator())
    for name, part in passes[0][0][0].items():
        np.testing.assert_array_equal(again[name], part)


def test_conditions_are_read_if_they_are_asked_for(folder):
    plain = load(folder)
    assert plain.train.condition_shape is None
    assert plain.train.take(3).condition is None
    assert set(next(iter(plain.train.batches(5)))) == {"x", "observed"}
    with pytest.raises(DataError, match=r"--condition label`.*Received: condition='label' for .*the condition 'kind'"):
        load(folder, condition="label")
    with pytest.raises(DataError, match=r"missing must be left out for shards"):
        load(folder, missing="nan")
    assert load_examples(folder, condition="kind", split="test").condition_shape == (3,)
    assert load_examples(folder, condition=None, split="test").condition_shape is None


def test_labels_as_a_condition(tmp_path):
    x = np.arange(60, dtype="float32").reshape(30, 2) + 0.5
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.array(["cat", "dog"] * 15), x_test=x, y_test=["dog"] * 30)
    splits = load(tmp_path / "own.npz", condition="label")
    folder = write_shards(splits, tmp_path / "shards", condition="label")
    found = load(folder, condition="label")
    assert found.train.class_names == found.train.condition_names == ("cat", "dog")
    np.testing.assert_array_equal(found.test.condition, [[0, 1]] * 30)
    assert load(folder).train.condition_names is None


def test_a_mask_in_one_split_makes_one_in_all(tmp_path):
    test = dataclasses.replace(numbered(10), condition=None, condition_names=None)
    train = dataclasses.replace(test, observed=None, raw=np.abs(test.raw))
    found = load(write_shards({"train": train, "test": test}, tmp_path / "shards"))
    assert found.train.take(10).observed.all()
    np.testing.assert_array_equal(found.test.observed, test.observed)


def test_streams_of_dictionaries(tmp_path):
    split = numbered(40)
    elements = {
        "x": np.where(split.observed, split.raw, np.nan),
        "observed": split.observed,
        "condition": split.condition,
    }
    stream = tf.data.Dataset.from_tensor_slices((elements, split.labels)).batch(7)
    found = load(write_shards(stream, tmp_path / "shards", condition="kind"), condition="kind").train.take(40)
    order = np.argsort(found.raw.max(axis=(1, 2, 3)))
    np.testing.assert_array_equal(found.observed[order], split.observed)
    np.testing.assert_array_equal(found.condition[order], split.condition)
    with pytest.raises(DataError, match=r"a dictionary of x, observed and condition"):
        write_shards(tf.data.Dataset.from_tensor_slices({"x": split.raw, "z": split.raw}).batch(7), tmp_path / "other")


def test_a_table_keeps_its_columns(tmp_path):
    draw = np.random.default_rng(0)
    lines = [f"{'' if i % 9 == 0 else draw.normal():},{'ab'[i % 2]},{i % 2}" for i in range(100)]
    (tmp_path / "table.csv").write_text("\n".join(["number,letter,flag", *lines]))
    splits = load(tmp_path / "table.csv", label="flag")
    found = load(write_shards(splits, tmp_path / "shards", shard_size=30))
    assert found.schema == splits.schema
    assert found.test.schema == splits.schema
    assert found.num_levels is None
    assert json.loads((tmp_path / "shards" / "shards.json").read_text())["version"] == 2
    both = [split.take(len(split)) for split in (found.train, splits.train)]
    read, stored = (part.rows(np.lexsort(part.raw.T)) for part in both)
    np.testing.assert_array_equal(read.raw, stored.raw)
    np.testing.assert_array_equal(read.observed, stored.observed)
    np.testing.assert_array_equal(read.labels, stored.labels)
