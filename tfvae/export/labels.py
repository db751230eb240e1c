"""The class label among the latents of a model, such as M2."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow_probability as tfp

from tfvae.estimators import EstimatorOfLabels
from tfvae.models import VAE

tfd = tfp.distributions


class Labels(NamedTuple):
    """Part y of z that is a class label.

    Attributes:
        part: Name of the part, a one-hot vector.
        num_classes: Number of classes, K.
    """

    part: str
    num_classes: int


def labels_of(vae: VAE) -> Labels | None:
    """Returns the class label among the latents of a model. None if there is none."""
    shapes: Any = vae.latent_shape
    if not isinstance(vae.estimator, EstimatorOfLabels) or not isinstance(shapes, Mapping):
        return None
    part = vae.estimator.label
    prior: Any = vae.prior.distribution()
    of_p, _ = prior.sample_distributions(seed=(0, 0))
    if not isinstance(of_p[part], tfd.OneHotCategorical):
        return None
    return Labels(part, int(shapes[part][-1]))
