"""Description of a model in its manifest, for clients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.export.labels import labels_of
from tfvae.models import VAE
from tfvae.priors import Conditional


def describe_model(vae: VAE, event_shape: tuple[int, ...]) -> dict[str, Any]:
    """Returns the shapes, types and support of a model, and its condition, labels and missing values if it has them.

    `support` is the smallest and largest value of x, each None where there is no bound.
    """
    shape: Any = vae.latent_shape
    is_joint = isinstance(shape, Mapping)
    found: dict[str, Any] = {
        "event_shape": list(event_shape),
        "latent_shape": {name: list(part) for name, part in shape.items()} if is_joint else list(shape),
        "dtype": vae.variable_dtype,
        "support": _support(vae),
    }
    if not is_joint:
        dtype = vae.variable_dtype if isinstance(vae.prior, Conditional) else vae.prior.distribution().dtype
        found["latent_dtype"] = tf.as_dtype(dtype).name
    if vae.condition_shape is not None:
        found["condition_shape"] = list(vae.condition_shape)
    if (labels := labels_of(vae)) is not None:
        found["labels"] = labels._asdict()
    if vae.missing is not None:
        found["missing"] = vae.missing
    return found


def _support(vae: VAE) -> list[float | None]:
    layer = vae._likelihood_layer
    bounds = None if layer is None else layer.support
    return [None, None] if bounds is None else [float(bound) if np.isfinite(bound) else None for bound in bounds]
