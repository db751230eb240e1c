"""Creates a model from a configuration and data."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfvae import layers, priors
from tfvae._dtype_policy import dtype_policy
from tfvae._errors import quoted
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.parts import FAMILIES, is_own_code, kinds, part_of
from tfvae.parts.building import build, call, constructor
from tfvae.training.beta import number_or_weighting
from tfvae.training.config import RunConfig
from tfvae.training.initial_weights import start_at_marginals, start_at_unit_normal
from tfvae.training.own_code import require_allowed
from tfvae.training.run_data import RunData
from tfvae.training.settings import ModelConfig

_EXAMPLES_FOR_DENSITY = 1000


def build_vae(config: RunConfig, splits: Splits, *, allow_code: bool = False) -> VAE:
    """Builds and compiles the model of a resolved configuration. The same seed and data give the same weights.

    Args:
        config: Resolved configuration.
        splits: Data.
        allow_code: Whether the configuration may name networks of the user's own, whose module is then imported.

    Raises:
        ValueError: If a part cannot be made, or the network is the user's own without `allow_code`.
    """
    require_allowed(config.model, allow_code)
    with dtype_policy(config.training.precision):
        return _build(config, splits)


def _build(config: RunConfig, splits: Splits) -> VAE:
    model, training, event_shape = config.model, config.training, splits.event_shape
    keras.utils.set_random_seed(training.seed)
    of_z = {"event_size": model.latent_size, "event_shape": (model.latent_size,)}
    of_x = {"event_shape": event_shape, **({"event_size": event_shape[0]} if len(event_shape) == 1 else {})}
    encoder_body, decoder_body = _bodies(
        model,
        event_shape,
        _params_size(model.posterior, "model.posterior", of_z),
        _params_size(model.likelihood, "model.likelihood", of_x),
    )
    posterior = build(model.posterior, "model.posterior", **of_z, name="posterior")
    encoder = [encoder_body, *(posterior if isinstance(posterior, list) else [posterior])]
    decoder = [decoder_body, build(model.likelihood, "model.likelihood", **of_x, name="likelihood")]
    adapted: list[Any] = []
    if model.standardize == "on":
        adapted = [
            layers.Standardization(name="standardization"),
            layers.Standardized(
                build(model.likelihood, "model.likelihood", **of_x, name="standardized"), name="likelihood"
            ),
        ]
        encoder, decoder = [adapted[0], *encoder], [decoder_body, adapted[1]]
    network = keras.Sequential(encoder, name="encoder")
    of_prior = {"latent_size": model.latent_size, "encoder": network, "input_shape": event_shape, "seed": training.seed}
    vae = VAE(
        network,
        keras.Sequential(decoder, name="decoder"),
        prior=build(model.prior, "model.prior", **of_prior, name="prior"),
        estimator=build(training.estimator, "training.estimator", num_samples=training.num_samples, kl=training.kl),
        beta=number_or_weighting(training.beta),
        seed=training.seed,
        name="vae",
    )
    train = RunData(config, splits).train()
    if adapted:
        for layer in adapted:
            layer.adapt(train.x)
        if not is_own_code(model.network_kind):
            start_at_unit_normal(vae)
    elif not is_own_code(model.network_kind):
        start_at_marginals(vae, train, model.likelihood_kind)
    if isinstance(vae.prior, priors.VampPrior):
        if len(train) < vae.prior.num_components:
            raise ValueError(
                f"model.prior.num_components must be at most the number of training examples, {len(train)}, at which "
                f"the pseudo-inputs start. Received: model.prior.num_components={vae.prior.num_components}"
            )
        vae.prior.adapt(train.x, seed=training.seed)
    if model.likelihood_kind == "generic":
        _check_density(vae, train.x[:_EXAMPLES_FOR_DENSITY], model.likelihood)
    rate = training.learning_rate
    learning_rate = build(rate, "training.learning_rate") if isinstance(rate, Mapping) else rate
    vae.compile(build(training.optimizer, "training.optimizer", learning_rate=learning_rate))
    return vae


def _check_density(vae: VAE, x: np.ndarray, likelihood: Any) -> None:
    """Raises ValueError if examples have no finite density before training."""
    z = np.zeros((1, *vae.latent_shape), vae.variable_dtype)
    if not np.isfinite(vae.decode(z).log_prob(x.astype(vae.variable_dtype))).all():
        raise ValueError(
            "model.likelihood must have a finite log-density of the data, but some examples have none. `tfvae new` "
            f"writes those that fit. Received: model.likelihood={quoted(likelihood)}"
        )


def _bodies(
    model: ModelConfig, event_shape: tuple[int, ...], num_encoded: int, num_decoded: int
) -> tuple[keras.Model, keras.Model]:
    kind, arguments = part_of(model.network, "model.network")
    encoder, decoder = (
        (kind, arguments.pop("decoder")) if is_own_code(kind) else (kinds.ENCODERS[kind], kinds.DECODERS[kind])
    )
    num_axes = len(event_shape) - 1 if is_own_code(kind) else arguments.pop("num_axes", len(event_shape) - 1)
    is_merged = num_axes != len(event_shape) - 1  # the other axes are channels
    image_shape = (*event_shape[:num_axes], math.prod(event_shape[num_axes:])) if is_merged else event_shape
    shared = {
        "hidden": model.hidden,
        "filters": model.filters,
        "activation": model.activation,
        "image_shape": image_shape,
        "num_axes": num_axes,
    }
    reverse = {"hidden": model.hidden[::-1], "filters": model.filters[::-1]}
    of_encoder = {**shared, "output_size": num_encoded, "name": "encoder_body"}
    of_decoder = {**shared, **reverse, "output_size": num_decoded, "name": "decoder_body"}
    body = call(encoder, "model.network", arguments, of_encoder)
    if is_merged:
        body = keras.Sequential([keras.layers.Reshape(image_shape), *body.layers], name="encoder_body")
    return body, call(decoder, "model.network", arguments, of_decoder)


def _params_size(value: Any, setting: str, available: Mapping[str, Any]) -> int:
    """Returns the number of outputs of the network before a distribution layer."""
    kind, arguments = part_of(value, setting)
    path = FAMILIES[setting].kinds[kind]
    known = inspect.signature(constructor(path).params_size).parameters
    needed = {name: each for name, each in {**available, **arguments}.items() if name in known}
    return call(path, setting, needed, {}, method="params_size")
