"""Creates a model from a configuration and data."""

from typing import Any

import keras

from tfvae import estimators, layers, networks, priors
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.training.config import RunConfig
from tfvae.training.initial_weights import start_at_marginals, start_at_unit_normal
from tfvae.training.run_data import RunData
from tfvae.training.settings import ModelConfig

_POSTERIORS: dict[str, Any] = {"diag": layers.MultivariateNormalDiag, "tril": layers.MultivariateNormalTriL}
_LIKELIHOODS: dict[str, Any] = {"bernoulli": layers.IndependentBernoulli, "normal": layers.IndependentNormal}


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
