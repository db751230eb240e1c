"""What the latents are good for: labels read off them by a linear probe and by nearest neighbours."""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfvae._checks import whole_number
from tfvae._seeds import split_seed
from tfvae.data import ShardedSplit, Split
from tfvae.evaluation._latents import posterior_means, require_vector
from tfvae.models import VAE
from tfvae.typing import Seed


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The share of test examples whose label was found.

    Attributes:
        num_correct: how many.
        num_examples: of how many.
    """

    num_correct: int
    num_examples: int

    @property
    def mean(self) -> float:
        """From 0 to 1."""
        return self.num_correct / self.num_examples

    @property
    def standard_error(self) -> float:
        """Over test examples, binomial, for the classifier as it was trained; zero where all or none are right."""
        return math.sqrt(self.mean * (1.0 - self.mean) / self.num_examples)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "mean": self.mean,
            "standard_error": self.standard_error,
            "num_correct": self.num_correct,
            "num_examples": self.num_examples,
        }


@dataclasses.dataclass(frozen=True)
class Representation:
    """What `representation` returns.

    Attributes:
        linear_probe: accuracy of a logistic regression.
        nearest_neighbors: accuracy of the vote of the k nearest.
        most_frequent: accuracy of always saying the commonest training label: what both have to beat.
        k: neighbours.
        num_train: examples that the classifiers saw.
    """

    linear_probe: Accuracy
    nearest_neighbors: Accuracy
    most_frequent: Accuracy
    k: int
    num_train: int

    def to_dict(self) -> dict[str, Any]:
        """What goes into `report.json`."""
        return {
            "linear_probe": self.linear_probe.to_dict(),
            "nearest_neighbors": self.nearest_neighbors.to_dict(),
            "most_frequent": self.most_frequent.to_dict(),
            "k": self.k,
            "num_train": self.num_train,
        }


def representation(
    vae: VAE,
    train: Any,
    test: Any,
    *,
    train_labels: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    k: int = 5,
    num_samples: int = 10,
    batch_size: int = 100,
    seed: Seed = 0,
) -> Representation:
    """How well labels can be read off the posterior means E[z|x], by classifiers that never saw the test examples.

    A linear probe asks whether classes lie on two sides of a plane, neighbours whether they lie together.

    Args:
        vae: the model; z is a vector of floats.
        train: what the classifiers learn from: an array `[N, *event]`, a `tfvae.data.Split`, or a data set.
        test: what they are tried on, likewise.
        train_labels: `[N]`, one a training example; None takes those of a `Split`.
        test_labels: likewise for `test`.
        k: neighbours that vote.
        num_samples: draws for the mean of a posterior that does not know its own.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        `Representation`.

    Raises:
        ValueError: for missing labels or as many as do not fit, fewer than two classes, k above the number of
            training examples, or latents that are not a vector of floats.

    Numerics:
        The probe's inputs are standardised, with scikit-learn's default penalty (L2, C = 1). Neighbours are by
        Euclidean distance of the means as they are: to stretch an inactive unit to unit variance would add noise.
    """
    require_vector(vae, "representation")
    k = whole_number(k, "k")
    num_samples = whole_number(num_samples, "num_samples")
    seeds = split_seed(seed, 2, "representation")
    features, labels = [], []
    for name, data, given, part_seed in zip(
        ("train", "test"), (train, test), (train_labels, test_labels), seeds, strict=True
    ):
        part_labels = _labels(name, data, given)
        means = posterior_means(vae, data, num_samples=num_samples, batch_size=batch_size, seed=part_seed)
        if part_labels.shape != (len(means),):
            raise ValueError(
                f"{name}_labels are one label an example, of shape ({len(means)},). Received shape {part_labels.shape}."
            )
        features.append(means)
        labels.append(part_labels)
    classes, counts = np.unique(labels[0], return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"A probe tells classes apart and needs at least 2 in train_labels. Received: {classes}.")
    if k > len(labels[0]):
        raise ValueError(f"k is at most the number of training examples, {len(labels[0])}. Received: k={k}.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(features[0], labels[0])
    neighbors = KNeighborsClassifier(k).fit(features[0], labels[0])

    def accuracy(predicted: np.ndarray) -> Accuracy:
        return Accuracy(int(np.sum(predicted == labels[1])), len(labels[1]))

    return Representation(
        linear_probe=accuracy(probe.predict(features[1])),
        nearest_neighbors=accuracy(neighbors.predict(features[1])),
        most_frequent=accuracy(np.full(len(labels[1]), classes[np.argmax(counts)])),
        k=k,
        num_train=len(labels[0]),
    )


def _labels(name: str, data: Any, given: ArrayLike | None) -> np.ndarray:
    if given is None and isinstance(data, Split | ShardedSplit):
        given = data.labels
    if given is None:
        raise ValueError(f"Labels of {name} are missing: give {name}_labels=, or a tfvae.data.Split that has labels.")
    return np.asarray(given)
