"""Accuracy of a model with class labels."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation.representation import Accuracy, labels_of
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.styles import has_class_labels
from tfvae.typing import Tensor


def accuracy(vae: VAE, data: Any, labels: ArrayLike | None = None, *, batch_size: int = 500) -> Accuracy:
    """Measures how often the most probable class of q(y|x) is the label, over examples with a label.

    Args:
        vae: A model with class labels, such as one with `tfvae.estimators.Enumerated`.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        labels: Class indices `[N]`, -1 for unknown ones. None uses those of a `Split`.
        batch_size: Number of examples per batch, for arrays and splits.

    Returns:
        `Accuracy`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If the model has no class labels, labels are missing, of the wrong number or all unknown, or the
            data do not fit the model.
    """
    if not has_class_labels(vae):
        raise ValueError(
            "accuracy needs a model with class labels (docs/semi-supervised.md). "
            f"Received: a model with the estimator {vae.estimator!r}"
        )
    given = labels_of("data", data, labels, argument="labels")
    predict = compiled(vae, _most_probable)
    batches = batches_of_examples(vae, data, batch_size)
    predicted = np.concatenate([predict(x, 1, tf.constant([0, 0])).numpy() for x in batches])
    if given.shape != predicted.shape or not (given >= 0).any():
        raise ValueError(
            f"`labels` must have one label per example, of shape {predicted.shape}, some of which are known. "
            f"Received: labels of shape {given.shape}, {int((given >= 0).sum())} of them known"
        )
    known = given >= 0
    return Accuracy(int((predicted == given)[known].sum()), int(known.sum()))


def _most_probable(vae: VAE, x: Tensor | Batch, number: Tensor, seed: Tensor) -> Tensor:
    posterior: Any = vae.infer(x)
    of_q, _ = posterior.sample_distributions(seed=seed)
    estimator: Any = vae.estimator
    return tf.argmax(of_q[estimator.label].mean(), axis=-1)
