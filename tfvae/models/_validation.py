"""What a VAE asks of its encoder, decoder and prior, checked when it is built."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._latent_shapes import plain_shape, shapes_of_parts
from tfvae.layers._networks import example_layer, find_kl_term, input_names
from tfvae.priors import Fixed, Joint, Prior, StandardNormal

tfd = tfp.distributions


def refuse_own_kl(encoder: keras.layers.Layer) -> None:
    """Raises ValueError when the encoder carries a KL term of its own, which would count twice."""
    found = find_kl_term(encoder)
    if found is not None:
        layer, term = found
        raise ValueError(
            f"The KL would count twice: the VAE adds KL(q(z|x) || p(z)) itself, and the encoder's layer "
            f"'{layer.name}' carries a {type(term).__name__}. Take it off the encoder, and give its prior and "
            "weight to the VAE as prior= and beta=; or train a functional keras.Model with it instead of a VAE."
        )


def refuse_losses(arguments: dict[str, Any], estimator: Any) -> None:
    """Raises ValueError when `compile` is given a loss or metrics, which a VAE has of its own."""
    refused = [name for name in ("loss", "loss_weights", "metrics", "weighted_metrics") if arguments.get(name)]
    if refused:
        raise ValueError(
            f"A VAE takes no {' or '.join(refused)}: it minimises its estimator's surrogate loss ({estimator!r}) and "
            "reports elbo, log_likelihood and kl. Give the VAE another estimator, or train a functional keras.Model "
            "with tfvae.layers and a loss of your own."
        )


def distribution_of(value: Any, network: keras.layers.Layer, role: str) -> Any:
    """What a network returned, when it is a distribution.

    Raises:
        TypeError: when it is not, which a subclassed model shows only when called.
    """
    if not isinstance(value, tfd.Distribution):
        raise TypeError(
            f"The {role} must return a distribution: end it in a distribution layer, such as "
            f"{example_layer(role)}. '{getattr(network, 'name', network)}' returned {value!r}."
        )
    return value


def as_prior(prior: Any, latent_shape: Any) -> Prior:
    """The prior as a layer; None is the standard normal of the encoder's latent size, or of those of its parts.

    Raises:
        ValueError: when the latent shapes of encoder and prior differ, or none can be told.
    """
    if prior is None and isinstance(latent_shape, dict):
        return Joint({name: _standard_normal(shape) for name, shape in latent_shape.items()})
    if prior is None:
        return _standard_normal(latent_shape)
    prior = prior if isinstance(prior, Prior) else Fixed(prior)
    check_latent_shape(latent_shape, prior)
    return prior


def _standard_normal(latent_shape: tuple[int, ...] | None) -> StandardNormal:
    if latent_shape is None or len(latent_shape) != 1:
        raise ValueError(
            f"The encoder's event shape is {latent_shape}, so that its latent size cannot be told: give the VAE a "
            "prior, such as prior=tfvae.priors.StandardNormal(latent_size)."
        )
    return StandardNormal(latent_shape[0])


def check_latent_shape(latent_shape: Any, prior: Prior) -> None:
    """Raises ValueError when posterior and prior are not over the same z."""
    if latent_shape is not None and shapes_of_parts(latent_shape) != shapes_of_parts(prior.event_shape):
        raise ValueError(
            f"Encoder and prior must be over the same latent z: the encoder's distribution has event shape "
            f"{plain_shape(latent_shape)}, the prior's ({type(prior).__name__}) is {plain_shape(prior.event_shape)}."
        )


_CONDITIONS = (
    "Conditions, such as labels beside them, are not part of a VAE: for a conditional model train a functional "
    "keras.Model with tfvae.layers (docs/two-ways-to-build.md)."
)


def check_encoder_input(encoder: keras.layers.Layer) -> None:
    """Raises ValueError when an encoder with known inputs takes more than x."""
    inputs = getattr(encoder, "inputs", None) or []
    if len(inputs) > 1:
        shapes = ", ".join(str(tuple(part.shape[1:])) for part in inputs)
        raise ValueError(
            f"The encoder takes {len(inputs)} inputs, of shapes {shapes}, but a VAE gives it x alone. {_CONDITIONS}"
        )


def check_decoder_input(decoder: keras.layers.Layer, prior: Prior) -> None:
    """Raises ValueError when a decoder with known input shapes does not take the prior's z."""
    inputs = getattr(decoder, "inputs", None) or []
    taken = [tuple(part.shape[1:]) for part in inputs]
    given = decoder_inputs(decoder, prior.event_shape)
    if len(taken) > len(shapes_of_parts(given)):
        raise ValueError(
            f"The decoder takes {len(taken)} inputs, of shapes {', '.join(map(str, taken))}, but a VAE gives it z "
            f"alone, of shape {plain_shape(prior.event_shape)} ({type(prior).__name__}). {_CONDITIONS}"
        )
    if inputs and taken != shapes_of_parts(given):
        raise ValueError(
            f"The decoder takes inputs of shape {', '.join(map(str, taken))}, but the prior's z "
            f"({type(prior).__name__}) has shape {plain_shape(prior.event_shape)}. Give both the same latent size."
        )


def decoder_inputs(decoder: keras.layers.Layer, z: Any) -> Any:
    """What the decoder is called with: of parts with names those that its inputs name, otherwise z."""
    names = input_names(decoder)
    is_chosen = isinstance(z, Mapping) and names and set(names) <= set(z)
    return {name: z[name] for name in names} if is_chosen else z


def decoded(decoder: keras.layers.Layer, z: Any, **kwargs: Any) -> Any:
    """Calls the decoder with z, or with the parts of z that its inputs name."""
    return decoder(decoder_inputs(decoder, z), **kwargs)


def symbolic_latents(prior: Prior, batch_size: int | None, dtype: str) -> Any:
    """What stands for z `[B, *latent]` in a symbolic call; parts that are no floats keep the prior's dtype."""
    shapes = shapes_of_parts(prior.event_shape)
    if len(shapes) == 1:
        return keras.KerasTensor((batch_size, *shapes[0]), dtype=dtype)
    dtypes = prior.distribution().dtype  # a nest of them, as z is one
    parts = [
        keras.KerasTensor((batch_size, *shape), dtype=dtype if own.is_floating else own.name)
        for shape, own in zip(shapes, tf.nest.flatten(dtypes), strict=True)
    ]
    return tf.nest.pack_sequence_as(dtypes, parts)


def as_latents(z: Any, prior: Prior, dtype: str) -> Any:
    """What a user gives as z as tensors: the parts that are numbers with a fraction in the model's `dtype`."""
    if len(shapes_of_parts(prior.event_shape)) == 1:
        return tf.cast(tf.convert_to_tensor(z), dtype)
    parts = tf.nest.map_structure(tf.convert_to_tensor, z)
    return tf.nest.map_structure(lambda part: tf.cast(part, dtype) if part.dtype.is_floating else part, parts)


def check_latents(parts: list[Any], expected: list[tuple[int, ...]]) -> None:
    """Raises ValueError when z does not have the prior's shape after its leading axes."""
    if len(parts) != len(expected):
        raise ValueError(f"z has {len(expected)} parts, of shapes [..., *{expected}]. Received: {len(parts)}.")
    for part, shape in zip(parts, expected, strict=True):
        rank = part.shape.rank
        if rank is not None and (rank < len(shape) or not part.shape[rank - len(shape) :].is_compatible_with(shape)):
            raise ValueError(
                f"z has shape [..., {', '.join(map(str, shape))}] in this model, with any leading axes. "
                f"Received shape {tuple(part.shape)}."
            )


# What the prior has in place of the model's own encoder in files of earlier versions.
_MODELS_ENCODER = "the model's encoder"


def deserialize_prior(
    config: dict[str, Any], encoder: keras.layers.Layer, custom_objects: dict[str, Any] | None
) -> Prior:
    """The prior that Keras described, in a model with this encoder."""
    arguments = config["config"]
    if arguments.get("encoder") == _MODELS_ENCODER:
        config = {**config, "config": {**arguments, "encoder": encoder}}
    return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
