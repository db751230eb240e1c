"""Conditions, classes and few labels in the data layer."""

import numpy as np
import pytest

from tfvae.data import DataError, Split, load, load_examples, write_shards
from tfvae.data.classes import class_of, with_class_numbers, with_few_labels
from tfvae.data.splits import make_splits

X = np.arange(24, dtype=np.float32).reshape(12, 2)


UNSEEN = {"x_train": X, "y_train": [0, 1] * 6, "x_test": X[:2], "y_test": [0, 5]}


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_labels_become_conditions_with_names():
    splits = load("digits", condition="label")
    assert splits.train.condition_names == tuple("0123456789")
    for split in splits.all.values():
        np.testing.assert_array_equal(split.condition.argmax(1), split.labels)
        np.testing.assert_array_equal(split.condition.sum(1), 1.0)


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        (np.array(["b", "a", "b", "d"] * 3), ("a", "b", "d"), [1, 0, 1, 2]),
        (np.array([b"b", b"a", b"b", b"d"] * 3), ("a", "b", "d"), [1, 0, 1, 2]),
        (np.array([7, 3, 7, 9] * 3), ("3", "7", "9"), [1, 0, 1, 2]),
    ],
)
def test_classes_are_numbered_without_gaps(labels, names, numbers):
    found = with_class_numbers({"train": make_splits("own", {"train": X}, {"train": labels}, "own.npz").train})["train"]
    assert found.class_names == names
    np.testing.assert_array_equal(found.labels[:4], numbers)


def test_an_empty_text_is_an_unknown_label():
    split = make_splits("own", {"train": X}, {"train": np.array(["b", "", "a"] * 4)}, "own.npz").train
    np.testing.assert_array_equal(split.labels[:3], [1, -1, 0])
    assert split.class_names == ("a", "b")


def test_arrays_of_a_file_are_conditions(tmp_path):
    angle = np.linspace(0, 1, 12)
    path = saved(
        tmp_path / "own.npz",
        data=X,
        angle=angle,
        kind=np.array(["u", "v", "u"] * 4),
        image=np.full((12, 4, 4), 255, "u1"),
    )
    for split in load(path, condition="angle").all.values():
        np.testing.assert_allclose(split.condition[:, 0], angle[split.x[:, 0].astype(int) // 2], rtol=1e-6)
    assert load_examples(path, condition="angle").condition.shape == (12, 1)
    found = load_examples(path, condition="kind")
    assert found.condition_names == ("u", "v")
    np.testing.assert_array_equal(found.condition[:3], [[1, 0], [0, 1], [1, 0]])
    found = load_examples(path, condition="image")
    assert found.condition.shape == (12, 4, 4, 1)
    assert found.condition.max() == 1.0
    alone = saved(tmp_path / "alone.npz", numbers=X, angle=angle)  # the array that is left are the data
    assert load_examples(alone, condition="angle").x.shape == (12, 2)


def test_stored_splits_have_stored_conditions(tmp_path):
    c = np.arange(24.0).reshape(12, 2)
    path = saved(tmp_path / "own.npz", x_train=X, x_test=X[:5], c_train=c, c_test=c[:5])
    splits = load(path, condition="c")
    np.testing.assert_array_equal(splits.test.condition, c[:5])
    path = saved(tmp_path / "lacks.npz", x_train=X, x_test=X[:5], c_train=c)
    with pytest.raises(DataError, match="no array 'c_test' for the condition"):
        load(path, condition="c")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: load("frey", condition="angle"), "condition must be"),
        (lambda path: load("digits", condition="angle"), "condition must be"),
        (lambda path: load(saved(path, **UNSEEN), condition="label"), "class '5'"),
        (lambda path: load(saved(path, x=X), condition="label"), "has no labels"),
        (lambda path: load(saved(path, x=X, y=[0, -1] * 6), condition="label"), "unknown"),
        (lambda path: load(saved(path, x=X, c=np.full(12, np.nan)), condition="c"), "finite"),
        (lambda path: load(saved(path, x=X, c=np.zeros(5)), condition="c"), "conditions of shape"),
        (lambda path: Split(X, condition=np.zeros(12)), "do not fit"),
        (lambda path: Split(X, observed=np.ones(12, bool)), "mask"),
        (lambda path: class_of("7", ("a", "b"), "--condition"), "one of the classes of the training data, a, b"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_condition_is_one_clear_error(tmp_path, make, message):
    with pytest.raises(DataError, match=message):
        make(tmp_path / "own.npz")


def test_few_labels_are_balanced_and_right():
    split = load("digits").train
    found = with_few_labels(split, 104, seed=1)
    known = found.labels >= 0
    np.testing.assert_array_equal(found.labels[known], split.labels[known])
    counts = np.bincount(found.labels[known])
    assert sorted(counts) == [10] * 6 + [11] * 4
    assert (with_few_labels(split, 104, seed=2).labels != found.labels).any()
    with pytest.raises(DataError, match="num_labels must be from 10"):
        with_few_labels(split, 9, seed=0)


def test_batches_carry_conditions_masks_and_labels():
    observed = np.ones((12, 2), bool)
    observed[3, 1] = False
    split = Split(X, np.arange(12), condition=X + 1, observed=observed)
    seen = []
    for batch, y in split.batches(5, shuffle=True, labels=True, seed=0):
        np.testing.assert_array_equal(batch["x"] + 1, batch["condition"])
        np.testing.assert_array_equal(batch["observed"], observed[y])
        np.testing.assert_array_equal(batch["x"][:, 0], 2 * y)
        seen += list(y.numpy())
    assert sorted(seen) == list(range(12))
    assert split.take(4).condition.shape == (4, 2)
    assert set(next(iter(split.batches(5)))) == {"x", "condition", "observed"}


def test_each_batch_has_its_labelled_examples():
    labels = np.full(50, -1)
    labels[[3, 17, 40]] = [0, 1, 2]
    split = Split(np.arange(100, dtype=np.float32).reshape(50, 2), labels)
    dataset = split.batches(10, shuffle=True, labels=True, num_labelled=2, seed=0)
    others, known = [], []
    for x, y in dataset:
        assert (y.numpy()[:2] >= 0).all()
        assert (y.numpy()[2:] < 0).all()
        np.testing.assert_array_equal(labels[(x.numpy()[:, 0] / 2).astype(int)], y)
        others += list(x.numpy()[2:, 0])
        known += list(y.numpy()[:2])
    assert len(dataset) == 6
    assert len(others) == len(set(others)) == 47
    assert max(known.count(k) for k in range(3)) - min(known.count(k) for k in range(3)) <= 1
    taken = dataset.arrays.next_pass()["rows"]
    assert (labels[taken[:2]] >= 0).all()
    with pytest.raises(ValueError, match="num_labelled requires shuffle=True"):
        split.batches(10, labels=True, num_labelled=2)
    with pytest.raises(ValueError, match="from 1 to 9"):
        split.batches(10, labels=True, shuffle=True, num_labelled=10)


def test_shards_refuse_weights_and_conditions_that_they_lack(tmp_path):
    with pytest.raises(DataError, match="weights, which shards cannot store"):
        write_shards({"train": Split(X, weight=np.ones(12))}, tmp_path / "shards")
    write_shards({"train": Split(X, np.arange(12) % 2)}, tmp_path / "plain")
    with pytest.raises(DataError, match="for shards without a condition"):
        load(tmp_path / "plain", condition="label")
