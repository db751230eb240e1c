"""M1: a classifier of the latents of a VAE that was trained without labels."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.calibration import CalibratedClassifierCV
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC

from tfvae.data import Split
from tfvae.evaluation._latents import posterior_means, require_vector
from tfvae.models import VAE

_NUM_ROUNDS, _CERTAIN = 10, 0.75


@dataclasses.dataclass(frozen=True)
class LatentClassifier:
    """Classifier of the means of q(z|x).

    Attributes:
        vae: The model of x.
        classifier: A fitted scikit-learn classifier of latents.
        batch_size: Number of examples that are encoded at a time.
    """

    vae: VAE
    classifier: Any
    batch_size: int = 500

    def predict(self, x: Any) -> np.ndarray:
        """Returns the labels `[N]` of examples, an array or a split."""
        return self.classifier.predict(_features(self.vae, x, self.batch_size))

    def predict_proba(self, x: Any) -> np.ndarray:
        """Returns the probabilities `[N, K]` of the classes, for a classifier that has them."""
        return self.classifier.predict_proba(_features(self.vae, x, self.batch_size))


def m1(
    vae: VAE, x: Any, labels: ArrayLike | None = None, *, classifier: Any = None, batch_size: int = 500
) -> LatentClassifier:
    """Fits a scikit-learn classifier to the latents of a trained VAE, from a few labels (M1).

    The default classifier is a support vector machine that trains itself: it labels the examples of which it is certain
    (with a probability above 0.75), in ten rounds at most, and learns from them too. The paper has a transductive SVM,
    of which there is no maintained implementation. With few labels in a class the machine is certain of none, and
    `sklearn.semi_supervised.LabelSpreading(kernel="knn", n_neighbors=10)` has about half its error.

    Args:
        vae: A trained VAE with one vector of latents.
        x: Examples: an array `[N, *event]` or a `tfvae.data.Split`. Each round of the default classifier takes time
            that grows with the square of their number: a few thousand are enough.
        labels: Integer labels `[N]`, -1 where unknown. None uses those of a split.
        classifier: A scikit-learn classifier that knows -1 as unknown, such as those of `sklearn.semi_supervised`.
            Any other gets the labelled examples alone. None is the default.
        batch_size: Number of examples that are encoded at a time.

    Raises:
        ValueError: If labels are missing, there are fewer than two known classes, or latents are not one vector.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, section 2.1.
    """
    require_vector(vae, "m1")
    given = x.labels if labels is None and isinstance(x, Split) else labels
    if given is None:
        raise ValueError("`m1` requires labels, with -1 where they are unknown. Received: labels=None")
    labels = np.asarray(given)
    z = _features(vae, x, batch_size)
    if labels.shape != (len(z),):
        raise ValueError(
            f"`labels` must have one label per example, of shape ({len(z)},). Received: labels of shape {labels.shape}"
        )
    known = labels >= 0
    if len(np.unique(labels[known])) < 2:
        raise ValueError(
            f"`labels` must have at least 2 known classes. Received: labels with the values {np.unique(labels)}"
        )
    if classifier is None:
        classifier = _self_training_svm(labels)
    is_semi_supervised = type(classifier).__module__.startswith("sklearn.semi_supervised")
    rows = slice(None) if is_semi_supervised else known
    return LatentClassifier(vae, classifier.fit(z[rows], labels[rows]), batch_size)


def _self_training_svm(labels: np.ndarray) -> Any:
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    machine = CalibratedClassifierCV(SVC(C=10.0), cv=min(3, counts.min()), ensemble=False) if counts.min() > 1 else None
    if machine is None:
        raise ValueError(
            "The default classifier of `m1` needs at least 2 labels of each class. Use more labels, or a classifier of "
            f"your own. Received: labels with {counts.min()} examples of a class"
        )
    if (labels >= 0).all():
        return machine
    return SelfTrainingClassifier(machine, threshold=_CERTAIN, max_iter=_NUM_ROUNDS)


def _features(vae: VAE, x: Any, batch_size: int) -> np.ndarray:
    return posterior_means(vae, x, num_samples=10, batch_size=batch_size, seed=0)
