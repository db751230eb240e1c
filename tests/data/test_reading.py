"""Whatever users give, one reader finds the same examples in it, with their labels and weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import Split, Splits, load, reading, write_shards
from tfvae.data.examples import Examples, unpack

X = np.random.default_rng(0).integers(0, 5, size=(11, 3)).astype("float32")
LABELS = np.arange(11)
WEIGHTS = np.linspace(0.5, 2, 11)


class Sequence(keras.utils.PyDataset):
    def __init__(self, num_batches=3):
        super().__init__()
        self._num_batches = num_batches

    @property
    def num_batches(self):
        return self._num_batches

    def __getitem__(self, i):
        return {"label": LABELS[4 * i % 12 :][:4], "image": X[4 * i % 12 :][:4]}


def batches(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


FORMS = {
    "array": (lambda: X, False),
    "list": (lambda: X.tolist(), False),
    "pair": (lambda: (X, LABELS), True),
    "dictionary": (lambda: {"image": X, "label": LABELS, "name": ["a"] * 11}, True),
    "tuple of a dictionary": (lambda: ({"x": X, "y": LABELS},), True),
    "split": (lambda: Split(X.astype("uint8"), LABELS, num_levels=2 + 3), True),
    "dataset": (lambda: batches(X), False),
    "dataset of triples": (lambda: batches((X, LABELS, WEIGHTS)), True),
    "dataset of dictionaries": (lambda: batches({"x": X, "label": LABELS}), True),
    "PyDataset": (Sequence, True),
}


@pytest.mark.parametrize("form", FORMS)
def test_batches_first_and_spread(form):
    make, has_labels = FORMS[form]
    x = X / np.float32(4) if form == "split" else X
    found = list(reading.batches(make(), 4))
    assert [len(part.x) for part in found] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate([part.x for part in found]), x)
    if has_labels:
        np.testing.assert_array_equal(np.concatenate([part.labels for part in found]), LABELS)
    some = reading.first(make(), 6)
    np.testing.assert_array_equal(some.x, x[:6])
    assert (some.labels is not None) == has_labels
    rows = [0, 5, 10] if "dataset" not in form.lower() else [0, 1, 2]
    np.testing.assert_array_equal(reading.spread(make(), 3).x, x[rows])


@pytest.mark.parametrize("form", ["dictionary", "split", "dataset"])
def test_conditions_and_masks_go_with_their_examples(form):
    x, condition, observed = X.astype("float32"), np.arange(22.0, dtype="float32").reshape(11, 2), X > 1
    given = {"x": x, "condition": condition, "observed": observed}
    data = {"dictionary": given, "split": Split(x, condition=condition, observed=observed), "dataset": batches(given)}
    for found, rows in (
        (reading.first(data[form], 6), range(6)),
        (reading.spread(data[form], 3), range(3) if form == "dataset" else [0, 5, 10]),
    ):
        np.testing.assert_array_equal(found.condition, condition[rows])
        np.testing.assert_array_equal(found.observed, observed[rows])


def test_weights_go_with_their_examples():
    for data in ((X, LABELS, WEIGHTS), batches((X, LABELS, WEIGHTS))):
        np.testing.assert_array_equal(next(reading.batches(data, 4)).sample_weight, WEIGHTS[:4])


def test_shards_are_read_in_order(tmp_path):
    folder = write_shards({"train": Split(X.astype("uint8"), LABELS, num_levels=5)}, tmp_path / "shards", shard_size=4)
    train = load(folder).train
    found = [*reading.batches(train, 5)]
    np.testing.assert_array_equal(np.concatenate([part.x for part in found]), train.take(11).x)
    np.testing.assert_array_equal(np.concatenate([part.labels for part in found]), train.labels)
    np.testing.assert_array_equal(reading.spread(train, 5).x, train.take(5).x)


def test_all_at_once():
    (found,) = reading.batches((X, LABELS), None)
    assert found.x is X or np.shares_memory(found.x, X)
    assert reading.in_memory(batches(X)) is None
    assert isinstance(reading.in_memory((tf.constant(X), LABELS)).x, tf.Tensor)


def test_what_can_be_read_again_and_what_never_ends():
    assert not any(map(reading.is_readable, (None, "digits", 3.0, iter([X]), (iter([X]), LABELS))))
    assert all(reading.is_readable(make()) for make, _ in FORMS.values())
    assert [reading.is_endless(data) for data in (X, batches(X), batches(X).repeat(), Sequence(), Sequence(None))] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert len(reading.first(batches(X).repeat(), 30).x) == len(reading.first(Sequence(None), 30).x) == 30


def test_labels_that_are_not_one_an_example_do_not_count():
    assert reading.first(batches((X, X)), 5).labels is None
    assert reading.first(batches(X[:0]), 5) is None


def test_unpack_finds_the_parts_of_one_batch():
    assert unpack({"only": 1}) == Examples(1)
    assert unpack(({"image": 1, "label": 2, "x": 3}, None, 4)) == Examples(1, 2, 4)
    assert unpack(({"x": 1, "label": 2}, 5)) == Examples(1, 5)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3.0, TypeError, r"`data` must be an array .* Received: data=3\.0 \(of type float\)"),
        (Splits("a", Split(X)), TypeError, r"Give one of its splits, such as splits\.test"),
        ([[1.0, 2.0], [3.0]], ValueError, "data is a list whose parts differ in shape"),
        (tf.sparse.from_dense(X), ValueError, r"tf\.sparse\.to_dense"),
        (batches(X).concatenate(batches(X[:, :2])), ValueError, "several event shapes"),
    ],
)
def test_what_holds_no_examples(data, error, message):
    with pytest.raises(error, match=message):
        reading.first(data, 20)
