"""What `VAETensorBoard(images=...)` takes, and the labels that its Projector shows."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.callbacks._tensorboard.embedding import Embedding
from tfvae.callbacks._tensorboard.examples import Examples
from tfvae.data import Split, Splits

X = np.random.default_rng(0).uniform(size=(10, 4)).astype("float32")
LABELS = np.arange(10)


def batches(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


@pytest.mark.parametrize(
    ("images", "has_labels"),
    [
        (X, False),
        (X.tolist(), False),
        ((X, LABELS), True),
        ({"image": X}, False),
        ({"x": X, "label": LABELS}, True),
        (Split(X, LABELS), True),
        (Splits("a", Split(X + 1), test=Split(X, LABELS)), True),
        (Splits("a", Split(X + 1), validation=Split(X), test=Split(X + 1, LABELS)), False),
        (batches(X), False),
        (batches((X, X)), False),
        (batches((X, LABELS)), True),
        (batches({"image": X, "label": LABELS}), True),
        (Split(X, LABELS).batches(4, labels=True), True),
    ],
)
def test_examples_in_any_form(images, has_labels):
    found = Examples.of(images)
    np.testing.assert_allclose(found.x, X)
    assert (found.labels is not None) == has_labels
    if has_labels:
        np.testing.assert_array_equal(found.labels, LABELS)


def test_of_a_data_set_that_never_ends_they_are_the_first():
    assert Examples.of(batches(X).repeat()).x.shape == (1024, 4)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ((x for x in X), TypeError, "generator can be read only once.*of type generator"),
        (iter([X]), TypeError, "of type list_iterator"),
        ("mnist", TypeError, "of type str"),
        ((X, X, X), ValueError, "tuple of 3"),
        ((X, LABELS[:3]), ValueError, r"10 examples and labels of shape \(3,\)"),
        ({"left": X, "right": X}, ValueError, "one of the keys"),
        (batches(X[:0]), ValueError, "needs examples"),
        (np.ma.masked_greater(X, 0.5), ValueError, "images is a masked array"),
        (batches(X).concatenate(batches(X[:, :3])), ValueError, "several event shapes"),
    ],
)
def test_what_holds_no_examples(images, error, message):
    with pytest.raises(error, match=message):
        Examples.of(images)


def test_every_label_is_a_line(tmp_path):
    """TensorBoard leaves out blank lines, and would count those after them wrongly."""
    labels = np.array(["a", "", " \n", "b\tc", "d\u2028e", b"f"], dtype=object)
    Embedding(tmp_path, np.zeros((6, 2, 2, 1), "float32"), labels).write(np.zeros((6, 2)))
    lines = (tmp_path / "labels.tsv").read_text("utf-8").split("\n")
    assert lines == ["a", "(empty)", "(empty)", "b c", "d e", "f", ""]
