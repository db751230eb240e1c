"""M2, the semi-supervised model, from the settings of a run."""

from typing import Any

import keras

from tfvae import priors, recipes
from tfvae.layers import NormalizingFlow
from tfvae.models import VAE
from tfvae.parts.building import build
from tfvae.training.initial_weights import start_flow_at_base
from tfvae.training.latent_space import latent_layers
from tfvae.training.model_parts import ModelParts


def build_m2(parts: ModelParts, num_classes: int, estimator: Any) -> VAE:
    """Creates M2: q(y|x) and q(z|x, y) have a network of x each, and p(x|y, z) the decoder.

    Args:
        parts: Parts of the model.
        num_classes: Number of classes.
        estimator: Bound.
    """
    model = parts.config.model
    dtype, width = keras.config.dtype_policy().variable_dtype, model.hidden[-1]
    before, likelihood = parts.likelihood()
    x = found = keras.Input(parts.event_shape, name="x", dtype=dtype)
    for layer in before:
        found = layer(found)
    # Both networks see x once for all classes. The last layer of the second adds y before its activation.
    of_y = keras.layers.Activation(model.activation)(_body(parts, "classifier_body", width)(found))
    of_z = _body(parts, "encoder_body", width)(found)
    features = keras.Model(x, keras.layers.Concatenate()([of_y, of_z]), name="features")

    inputs = keras.Input((2 * width,), name="inputs", dtype=dtype)
    classifier = keras.Model(inputs, keras.layers.Dense(num_classes)(inputs[:, :width]), name="classifier")
    y = keras.Input((num_classes,), name="y", dtype=dtype)
    both = keras.layers.Add()([inputs[:, width:], keras.layers.Dense(width, use_bias=False)(y)])
    last = keras.layers.Dense(parts.num_parameters)
    parameters = last(keras.layers.Activation(model.activation)(both))
    *flow, posterior = parts.posterior()
    if isinstance(posterior, NormalizingFlow):
        start_flow_at_base(last, posterior, seed=parts.config.training.seed)
    for layer in flow:
        parameters = layer(parameters)
    return recipes.m2(
        event_shape=parts.event_shape,
        num_classes=num_classes,
        features=features,
        classifier=classifier,
        encoder=keras.Model({"inputs": inputs, "y": y}, parameters, name="encoder_of_z"),
        posterior=posterior,
        latent_layer=_in_one(latent_layers(model)),
        decoder=parts.decoder_body(),
        likelihood=likelihood,
        label_prior=_label_prior(model.label_prior, num_classes),
        prior=build(model.prior, "model.prior", latent_size=model.latent_size, name="prior_of_z"),
        estimator=estimator,
        seed=parts.config.training.seed,
        name="vae",
    )


def _body(parts: ModelParts, name: str, width: int) -> keras.Model:
    """Returns the layers of a network before its last activation."""
    model = parts.config.model
    if model.network_kind != "mlp":
        return parts.encoder_body(width, name)
    hidden = [keras.layers.Dense(size, activation=model.activation) for size in model.hidden[:-1]]
    return keras.Sequential([keras.layers.Flatten(), *hidden, keras.layers.Dense(width)], name=name)


def _label_prior(probs: Any, num_classes: int) -> priors.Categorical:
    given = None if isinstance(probs, str) else probs
    return priors.Categorical(num_classes, given, learned=probs == "learned", name="prior_of_y")


def _in_one(found: list[keras.layers.Layer]) -> keras.Model | None:
    return keras.Sequential(found, name="of_z") if found else None
