"""Creates a model from a configuration and data."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from tfvae import estimators, layers, networks, priors
from tfvae._targets import expanded
from tfvae.data import Splits, known_names
from tfvae.data.shard_header import is_shards
from tfvae.models import VAE
from tfvae.training.choices import (
    choose_binarize,
    choose_epochs,
    choose_likelihood,
    choose_select,
    choose_standardize,
)
from tfvae.training.config import ModelConfig, RunConfig
from tfvae.training.initial_weights import start_at_marginals, start_at_unit_normal
from tfvae.training.run_data import RunData

_POSTERIORS: dict[str, Any] = {"diag": layers.MultivariateNormalDiag, "tril": layers.MultivariateNormalTriL}
_LIKELIHOODS: dict[str, Any] = {"bernoulli": layers.IndependentBernoulli, "normal": layers.IndependentNormal}


def resolve(config: RunConfig, splits: Splits) -> RunConfig:
    """Returns the configuration with every "auto" replaced by a choice for the data.

    Raises:
        ValueError: If the data do not fit the configuration.
    """
    model, data = config.model, config.data
    likelihood = choose_likelihood(config, splits)
    name = data.name
    path = Path(name) if name in known_names() else expanded(name)
    if name not in known_names() and ((path.suffix in (".npy", ".npz") and path.exists()) or is_shards(path)):
        name = str(path.resolve())  # the run can be evaluated from any folder
    activation = {"mlp": "tanh", "conv": "relu"}[model.network] if model.activation == "auto" else model.activation
    return dataclasses.replace(
        config,
        data=dataclasses.replace(data, name=name, binarize=choose_binarize(config, splits, likelihood)),
        model=dataclasses.replace(
            model,
            likelihood=likelihood,
            activation=activation,
            standardize=choose_standardize(config, splits, likelihood),
        ),
        training=dataclasses.replace(
            config.training, epochs=choose_epochs(config, splits), select=choose_select(config, splits)
        ),
    )


def build_vae(config: RunConfig, splits: Splits) -> VAE:
    """Builds and compiles the model of a resolved configuration. The same seed and data give the same weights."""
    event_shape = splits.event_shape
    keras.utils.set_random_seed(config.training.seed)
    posterior = _POSTERIORS[config.model.posterior]
    likelihood = _LIKELIHOODS[config.model.likelihood]
    encoder_body, decoder_body = _bodies(
        config.model,
        event_shape,
        posterior.params_size(config.model.latent_size),
        likelihood.params_size(event_shape),
    )
    encoder = [encoder_body, posterior(config.model.latent_size, name="posterior")]
    decoder = [decoder_body, likelihood(event_shape, name="likelihood")]
    adapted: list[Any] = []
    if config.model.standardize == "on":
        adapted = [
            layers.Standardization(name="standardization"),
            layers.Standardized(likelihood(event_shape, name="standardized"), name="likelihood"),
        ]
        encoder, decoder = [adapted[0], *encoder], [decoder_body, adapted[1]]
    vae = VAE(
        keras.Sequential(encoder, name="encoder"),
        keras.Sequential(decoder, name="decoder"),
        prior=priors.StandardNormal(config.model.latent_size, name="prior"),
        estimator=estimators.SGVB(config.training.num_samples, kl=config.training.kl),  # type: ignore[arg-type]
        beta=config.training.beta,
        seed=config.training.seed,
        name="vae",
    )
    train = RunData(config, splits).train()
    if adapted:
        for layer in adapted:
            layer.adapt(train.x)
        start_at_unit_normal(vae)
    else:
        start_at_marginals(vae, train, config.model.likelihood)
    vae.compile(keras.optimizers.Adam(config.training.learning_rate))
    return vae


def _bodies(
    model: ModelConfig, event_shape: tuple[int, ...], num_encoded: int, num_decoded: int
) -> tuple[keras.Model, keras.Model]:
    if model.network == "conv":
        encoder = networks.conv_encoder(num_encoded, model.filters, model.activation, name="encoder_body")
        decoder = networks.conv_decoder(
            event_shape, num_decoded, model.filters[::-1], model.activation, name="decoder_body"
        )
        return encoder, decoder
    encoder = networks.mlp(num_encoded, model.hidden, model.activation, name="encoder_body")
    return encoder, networks.mlp(num_decoded, model.hidden[::-1], model.activation, name="decoder_body")
