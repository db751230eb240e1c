"""M1: a classifier of latents, from a few labels."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading
from small_models import random_bits, small_vae

from tfvae.data import Split
from tfvae.recipes import m1

SHAPE = (4, 2)


@pytest.fixture(scope="module")
def vae():
    return small_vae()


@pytest.fixture(scope="module")
def examples():
    """Two kinds of images with a little noise, of which twelve have labels."""
    classes = np.arange(80) % 2
    kinds = np.stack([np.ones(SHAPE), np.zeros(SHAPE)]).astype("float32")
    noise = random_bits(80, SHAPE)
    return np.abs(kinds[classes] - 0.3 * noise), classes, np.where(np.arange(80) < 12, classes, -1)


def test_it_learns_from_a_few_labels(vae, examples):
    x, classes, labels = examples
    found = m1(vae, x, labels)
    assert (found.predict(x) == classes).mean() > 0.9
    assert found.predict_proba(x[:3]).shape == (3, 2)
    of_split = m1(vae, Split(x, labels))
    np.testing.assert_array_equal(of_split.predict(x), found.predict(x))
    assert (m1(vae, x, classes).predict(x) == classes).mean() > 0.9  # all labels are known


def test_other_classifiers(vae, examples):
    x, _, labels = examples
    known = labels >= 0
    neighbors = m1(vae, x, labels, classifier=KNeighborsClassifier(1))
    z = np.asarray(vae.encode(x).mean())
    expected = KNeighborsClassifier(1).fit(z[known], labels[known]).predict(z)
    np.testing.assert_array_equal(neighbors.predict(x), expected)
    spread = m1(vae, x, labels, classifier=LabelSpreading("knn", n_neighbors=5))
    np.testing.assert_array_equal(spread.predict(x), LabelSpreading("knn", n_neighbors=5).fit(z, labels).predict(z))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "requires labels"),
        (np.zeros(3, int), "one label per example"),
        (np.where(np.arange(80) < 5, 1, -1), "at least 2 known classes"),
        (np.where(np.arange(80) < 3, np.arange(80) % 2, -1), "at least 2 labels of each class"),
    ],
)
def test_labels_it_cannot_learn_from(vae, examples, labels, message):
    with pytest.raises(ValueError, match=message):
        m1(vae, examples[0], labels)
