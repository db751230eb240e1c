"""What a model must be for its functions to be exported."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfvae.models import VAE


def require_vae(vae: Any, function: str) -> None:
    """Raises TypeError for what is no VAE; `function` is the caller, such as "export.save"."""
    if not isinstance(vae, VAE):
        raise TypeError(
            f"{function} takes a tfvae.models.VAE: its signatures need a posterior, a prior and a likelihood. For any "
            f"other Keras model use model.export(path). Received: {vae!r} (of type {type(vae).__name__})."
        )


def require_one_tensor(vae: VAE, function: str) -> None:
    """Raises ValueError where the latents are a nest of tensors, or of unknown shape."""
    if not _is_known(vae.latent_shape):
        raise ValueError(
            f"{function} takes models whose latents z are one tensor of known shape, named `z` in the signatures. "
            f"This model's prior ({type(vae.prior).__name__}) has event shape {vae.latent_shape!r}."
        )


# What else signatures take and return by name.
_TAKEN = ("x", "z", "seed", "num_samples", "loc", "scale", "scale_tril", "mean", "stddev", "sample")


def require_latents(vae: VAE, function: str) -> None:
    """Raises ValueError where the latents are neither one tensor of known shape nor a dictionary of such tensors."""
    parts: Any = vae.latent_shape
    if not isinstance(parts, Mapping):
        require_one_tensor(vae, function)
    elif not all(_is_known(shape) for shape in parts.values()) or not set(parts).isdisjoint(_TAKEN):
        raise ValueError(
            f"{function} names the parts of z in the signatures: they need known shapes and names other than "
            f"{', '.join(_TAKEN)}. Received: latent_shape={parts!r}"
        )


def _is_known(shape: Any) -> bool:
    return isinstance(shape, tuple | list) and all(isinstance(size, int) for size in shape)


def event_shape_of(vae: VAE) -> tuple[int, ...]:
    """The shape of one x, from the model or, where its layers do not say, from a trace of p(x|z).

    Raises:
        ValueError: when the model is not built, or p(x|z) does not know the shape.
    """
    if not vae.built:
        raise ValueError(
            "The VAE is not built, so it has no weights to export. Train it with fit, load its weights, or call "
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
    with keras.StatelessScope():  # a trace must leave nothing behind in the layers
        tf.function(lambda z: found.append(vae.generate(z).event_shape), autograph=False).get_concrete_function(z)
    if not found[0].is_fully_defined():
        raise ValueError(
            f"The event shape of p(x|z) is {found[0]}, but a served model needs every axis of x but the batch. End the "
            "decoder in a layer that knows it, such as tfvae.layers.IndependentBernoulli(event_shape)."
        )
    return tuple(found[0].as_list())
