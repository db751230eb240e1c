"""Checks of the encoder, decoder and prior of a VAE."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._latent_shapes import plain_shape, shapes_of_parts
from tfvae.data.examples import CONDITION
from tfvae.layers._networks import example_layer, find_kl_term, input_names
from tfvae.models.conditions import called, takes_condition, takes_observed
from tfvae.priors import Fixed, Joint, Prior, StandardNormal
from tfvae.typing import Tensor

tfd = tfp.distributions


def refuse_own_kl(encoder: keras.layers.Layer) -> None:
    """Raises ValueError if the encoder adds a KL term, which would count twice."""
    found = find_kl_term(encoder)
    if found is not None:
        layer, term = found
        raise ValueError(
            f"The KL would count twice: the VAE adds KL(q(z|x) || p(z)), and the layer '{layer.name}' of the encoder "
            f"has a {type(term).__name__}. Remove it from the encoder and pass its prior and weight to the VAE as "
            "prior= and beta=, or train a functional keras.Model with it instead of a VAE."
        )


def refuse_losses(arguments: dict[str, Any], estimator: Any) -> None:
    """Raises ValueError if a loss or metrics are passed to `compile`, because a VAE defines its own."""
    refused = [name for name in ("loss", "loss_weights", "metrics", "weighted_metrics") if arguments.get(name)]
    if refused:
        raise ValueError(
            f"`compile` of a VAE does not accept {' or '.join(refused)}: a VAE minimises the surrogate loss of its "
            f"estimator ({estimator!r}) and reports elbo, log_likelihood and kl. Choose another estimator, or train a "
            "functional keras.Model with tfvae.layers and your own loss."
        )


def distribution_of(value: Any, network: keras.layers.Layer, role: str) -> Any:
    """Returns the output of a network unchanged if it is a distribution.

    Raises:
        TypeError: If it is not. For a subclassed model this is known only after a call.
    """
    if not isinstance(value, tfd.Distribution):
        raise TypeError(
            f"The {role} must return a distribution. End it in a distribution layer, such as {example_layer(role)}. "
            f"Received: output of '{getattr(network, 'name', network)}'={value!r}"
        )
    return value


def as_prior(prior: Any, latent_shape: Any) -> Prior:
    """Returns the prior as a layer. None is a standard normal of the latent size, or one per part of z.

    Raises:
        ValueError: If the latent shapes of encoder and prior differ, or the latent size is unknown.
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
            "The latent size cannot be derived from the encoder. Pass a prior, such as "
            "prior=tfvae.priors.StandardNormal(latent_size). "
            f"Received: an encoder whose distribution has event shape {latent_shape}"
        )
    return StandardNormal(latent_shape[0])


def check_latent_shape(latent_shape: Any, prior: Prior) -> None:
    """Raises ValueError if posterior and prior have different event shapes."""
    if latent_shape is not None and shapes_of_parts(latent_shape) != shapes_of_parts(prior.event_shape):
        raise ValueError(
            "Encoder and prior must have the same latent shape. Received: encoder with event shape "
            f"{plain_shape(latent_shape)}, {type(prior).__name__} prior with event shape "
            f"{plain_shape(prior.event_shape)}"
        )


_CONDITIONS = (
    "For a conditional model, use a functional keras.Model with a dictionary of inputs, such as "
    "{'x': x, 'condition': condition} (docs/conditional.md)."
)


def check_encoder_input(encoder: keras.layers.Layer) -> None:
    """Raises ValueError if an encoder with known inputs has more inputs than x."""
    inputs = getattr(encoder, "inputs", None) or []
    if len(inputs) > 1 + takes_condition(encoder) + takes_observed(encoder):
        shapes = ", ".join(str(tuple(part.shape[1:])) for part in inputs)
        raise ValueError(
            f"The encoder must have the input x, and no others than a condition and the mask of observed "
            f"values. {_CONDITIONS} "
            f"Received: an encoder with {len(inputs)} inputs of shapes {shapes}"
        )


def check_decoder_input(decoder: keras.layers.Layer, prior: Prior) -> None:
    """Raises ValueError if the known input shapes of a decoder are not those of z."""
    inputs = getattr(decoder, "inputs", None) or []
    if takes_condition(decoder):
        inputs = [part for name, part in decoder.input.items() if name != CONDITION]
    taken = [tuple(part.shape[1:]) for part in inputs]
    given = decoder_inputs(decoder, prior.event_shape)
    if len(taken) > len(shapes_of_parts(given)):
        raise ValueError(
            f"The decoder must have the input z, of shape {plain_shape(prior.event_shape)} for this prior "
            f"({type(prior).__name__}), and no other than a condition. {_CONDITIONS} "
            f"Received: a decoder with {len(taken)} inputs of shapes {', '.join(map(str, taken))}"
        )
    if inputs and taken != shapes_of_parts(given):
        raise ValueError(
            "Decoder and prior must have the same latent size. Received: a decoder with inputs of shape "
            f"{', '.join(map(str, taken))}, {type(prior).__name__} prior with z of shape "
            f"{plain_shape(prior.event_shape)}"
        )


def decoder_inputs(decoder: keras.layers.Layer, z: Any) -> Any:
    """Returns the argument of the decoder: z, or the named parts of z that match the names of its inputs."""
    names = [name for name in input_names(decoder) if name != CONDITION]
    is_chosen = isinstance(z, Mapping) and names and set(names) <= set(z)
    return {name: z[name] for name in names} if is_chosen else z


def decoded(decoder: keras.layers.Layer, z: Any, condition: Tensor | None = None, **kwargs: Any) -> Any:
    """Calls the decoder with z, or with the parts of z that its inputs name, and with the condition if it takes it."""
    return called(decoder, decoder_inputs(decoder, z), condition, **kwargs)


def symbolic_latents(prior: Prior, batch_size: int | None, dtype: str) -> Any:
    """Returns symbolic tensors for z `[B, *latent]`. Parts that are not floating-point keep the dtype of the prior."""
    shapes = shapes_of_parts(prior.event_shape)
    if len(shapes) == 1:
        return keras.KerasTensor((batch_size, *shapes[0]), dtype=dtype)
    dtypes = prior.distribution().dtype  # a nest of the structure of z
    parts = [
        keras.KerasTensor((batch_size, *shape), dtype=dtype if own.is_floating else own.name)
        for shape, own in zip(shapes, tf.nest.flatten(dtypes), strict=True)
    ]
    return tf.nest.pack_sequence_as(dtypes, parts)


def as_latents(z: Any, prior: Prior, dtype: str) -> Any:
    """Converts z to tensors. Floating-point parts get the `dtype` of the model."""
    if len(shapes_of_parts(prior.event_shape)) == 1:
        return tf.cast(tf.convert_to_tensor(z), dtype)
    parts = tf.nest.map_structure(tf.convert_to_tensor, z)
    return tf.nest.map_structure(lambda part: tf.cast(part, dtype) if part.dtype.is_floating else part, parts)


def check_latents(parts: list[Any], expected: list[tuple[int, ...]]) -> None:
    """Raises ValueError if the shape of z after its leading axes is not that of the prior."""
    if len(parts) != len(expected):
        raise ValueError(
            f"z must have {len(expected)} parts, of shapes [..., *{expected}]. Received: z with {len(parts)} parts"
        )
    for part, shape in zip(parts, expected, strict=True):
        rank = part.shape.rank
        if rank is not None and (rank < len(shape) or not part.shape[rank - len(shape) :].is_compatible_with(shape)):
            raise ValueError(
                f"z must have shape [..., {', '.join(map(str, shape))}], with any leading axes. "
                f"Received: z of shape {tuple(part.shape)}"
            )


# Placeholder for the encoder of the model in the prior in files of earlier versions.
_MODELS_ENCODER = "the model's encoder"


def deserialize_prior(
    config: dict[str, Any], encoder: keras.layers.Layer, custom_objects: dict[str, Any] | None
) -> Prior:
    """Returns the prior from its configuration, for a model with this encoder."""
    arguments = config["config"]
    if arguments.get("encoder") == _MODELS_ENCODER:
        config = {**config, "config": {**arguments, "encoder": encoder}}
    return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
