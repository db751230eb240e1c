"""Quality of the latents as features: a linear probe and nearest neighbours."""

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
from tfvae.data.any_split import AnySplit
from tfvae.evaluation._latents import require_vector
from tfvae.evaluation._shares import features as features_of
from tfvae.models import VAE
from tfvae.typing import Seed


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The share of correctly classified test examples.

    Attributes:
        num_correct: Number of correctly classified examples.
        num_examples: Number of test examples.
    """

    num_correct: int
    num_examples: int

    @property
    def mean(self) -> float:
        """The accuracy, from 0 to 1."""
        return self.num_correct / self.num_examples

    @property
    def standard_error(self) -> float:
        """The binomial standard error over test examples; zero if all or none are correct."""
        return math.sqrt(self.mean * (1.0 - self.mean) / self.num_examples)

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON."""
        return {
            "mean": self.mean,
            "standard_error": self.standard_error,
            "num_correct": self.num_correct,
            "num_examples": self.num_examples,
        }


@dataclasses.dataclass(frozen=True)
class Representation:
    """Result of `representation`.

    Attributes:
        linear_probe: Accuracy of a logistic regression.
        nearest_neighbors: Accuracy of the majority vote of the k nearest neighbours.
        most_frequent: Accuracy of always predicting the most frequent training label, which both should exceed.
        k: Number of neighbours.
        num_train: Number of training examples of the classifiers.
    """

    linear_probe: Accuracy
    nearest_neighbors: Accuracy
    most_frequent: Accuracy
    k: int
    num_train: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
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
    """Measures how well classifiers predict labels from the posterior means E[z|x], on test examples.

    If z are the log-odds of sticks, with the prior `tfvae.priors.StickBreaking`, the means are those of the shares.

    A linear probe measures whether classes are linearly separable, nearest neighbours whether they form clusters.

    Args:
        vae: The model; z is a vector of floats.
        train: Training examples of the classifiers: an array `[N, *event]`, a `tfvae.data.Split`, or a data set.
        test: Test examples, in the same forms.
        train_labels: Labels `[N]` of the training examples; None uses those of a `Split`.
        test_labels: Labels of the test examples; None uses those of a `Split`.
        k: Number of neighbours that vote.
        num_samples: Number of draws for the mean of shares, or of a posterior without a mean in closed form.
        batch_size: Number of examples per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `Representation`.

    Raises:
        ValueError: If labels are missing or of the wrong number, there are fewer than two classes, k exceeds the number
            of training examples, or the latents are not a vector of floats.

    Numerics:
        The probe has standardised inputs and scikit-learn's default penalty (L2, C = 1). Neighbours use the Euclidean
        distance of unscaled means, because scaling inactive units to unit variance would add noise.
    """
    require_vector(vae, "representation")
    k = whole_number(k, "k")
    num_samples = whole_number(num_samples, "num_samples")
    seeds = split_seed(seed, 2, "representation")
    features, labels = [], []
    for name, data, given, part_seed in zip(
        ("train", "test"), (train, test), (train_labels, test_labels), seeds, strict=True
    ):
        part_labels = labels_of(name, data, given, argument=f"{name}_labels")
        means = features_of(vae, data, num_samples=num_samples, batch_size=batch_size, seed=part_seed)
        if part_labels.shape != (len(means),):
            raise ValueError(
                f"`{name}_labels` must have one label per example, of shape ({len(means)},). "
                f"Received: {name}_labels of shape {part_labels.shape}"
            )
        features.append(means)
        labels.append(part_labels)
    classes, counts = np.unique(labels[0], return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"`train_labels` must contain at least 2 classes. Received: train_labels with classes {classes}"
        )
    if k > len(labels[0]):
        raise ValueError(f"`k` must be at most the number of training examples, {len(labels[0])}. Received: k={k}")
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


def labels_of(name: str, data: Any, given: ArrayLike | None, *, argument: str) -> np.ndarray:
    """Returns the given labels, or those of a split. Raises ValueError if there are none."""
    if given is None and isinstance(data, AnySplit):
        given = data.labels
    if given is None:
        raise ValueError(
            f"The labels of `{name}` are missing. Pass `{argument}`, or a tfvae.data.Split with labels. "
            f"Received: {argument}=None"
        )
    return np.asarray(given)
