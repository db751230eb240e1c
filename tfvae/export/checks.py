"""Checks of a model before its export."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfvae.data.examples import CONDITION
from tfvae.export.labels import labels_of
from tfvae.models import VAE


def require_vae(vae: Any, function: str) -> None:
    """Raises TypeError if `vae` is not a VAE. `function` is the caller, such as "export.save"."""
    if not isinstance(vae, VAE):
        raise TypeError(
            f"{function} requires a tfvae.models.VAE, because its signatures need a posterior, a prior and a "
            "likelihood. Export other Keras models with model.export(path). "
            f"Received: vae={vae!r} (of type {type(vae).__name__})"
        )


def require_one_tensor(vae: VAE, function: str) -> None:
    """Raises ValueError if the latents are not one tensor of known shape."""
    if not _is_known(vae.latent_shape):
        raise ValueError(
            f"{function} requires a model whose latents z are one tensor of known shape, the input `z` of the "
            f"signatures. Received: {type(vae.prior).__name__} prior with event shape {vae.latent_shape!r}"
        )


def require_one_vector_or_labels(vae: VAE, function: str) -> None:
    """Raises ValueError if the latents are neither one tensor of known shape, nor a label and one other part."""
    labels = labels_of(vae)
    if labels is None:
        require_one_tensor(vae, function)
    elif len(vae.latent_shape) != 2:
        raise ValueError(
            f"{function} converts models with labels whose latents are the label and one other part. Export a "
            f"SavedModel with export.save instead. Received: latent_shape={vae.latent_shape!r}"
        )


# Names of the other inputs and outputs of signatures.
_RESERVED_NAMES = ("x", "seed", "num_samples", "loc", "scale", "scale_tril", "mean", "stddev", "sample")


def require_latents(vae: VAE, function: str) -> None:
    """Raises ValueError if the latents are neither one tensor of known shape nor a dictionary of such tensors."""
    parts: Any = vae.latent_shape
    if not isinstance(parts, Mapping):
        require_one_tensor(vae, function)
        return
    reserved = _RESERVED_NAMES if vae.condition_shape is None else (*_RESERVED_NAMES, CONDITION)
    if not all(_is_known(shape) for shape in parts.values()) or not set(parts).isdisjoint(reserved):
        raise ValueError(
            f"The parts of z are inputs and outputs of the signatures of {function}. They must have known shapes and "
            f"names other than {', '.join(reserved)}. Received: latent_shape={parts!r}"
        )


def _is_known(shape: Any) -> bool:
    return isinstance(shape, tuple | list) and all(isinstance(size, int) for size in shape)


def event_shape_of(vae: VAE) -> tuple[int, ...]:
    """Returns the shape of one x, from the model or, if its layers do not define it, from a trace of p(x|z).

    Raises:
        ValueError: If the model is not built, or the event shape of p(x|z) is unknown.
    """
    if not vae.built:
        raise ValueError(
            "The VAE is not built, so it has no weights to export. Train it with `fit`, load its weights, or call "
            "vae.build((None, *event_shape)) first."
        )
    if vae.event_shape is not None:
        return vae.event_shape
    found: list[tf.TensorShape] = []
    shape: Any = vae.latent_shape
    if isinstance(shape, Mapping):
        dtypes = vae.prior.distribution().dtype
        z: Any = {name: tf.TensorSpec([None, *part], dtypes[name]) for name, part in shape.items()}
    else:
        z = tf.TensorSpec([None, *shape], vae.variable_dtype)
    condition = None if vae.condition_shape is None else tf.TensorSpec([None, *vae.condition_shape], vae.variable_dtype)

    def trace(z: Any, condition: Any) -> None:
        found.append(vae.generate(z, condition=condition).event_shape)

    with keras.StatelessScope():  # the trace must not change the layers
        tf.function(trace, autograph=False).get_concrete_function(z, condition)
    if not found[0].is_fully_defined():
        raise ValueError(
            "An exported model requires a known event shape of p(x|z). End the decoder in a layer that defines it, "
            f"such as tfvae.layers.IndependentBernoulli(event_shape). Received: event_shape={found[0]}"
        )
    return tuple(found[0].as_list())
