"""Creates a model from a configuration and data."""

import functools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfvae import layers, priors
from tfvae._dtype_policy import dtype_policy
from tfvae._errors import quoted
from tfvae.data import Splits
from tfvae.data.holes import with_means, with_nan
from tfvae.models import VAE
from tfvae.parts import is_own_code
from tfvae.parts.building import build
from tfvae.training.beta import number_or_weighting
from tfvae.training.build_m2 import build_m2
from tfvae.training.conditional import conditional_decoder, conditional_encoder
from tfvae.training.config import RunConfig
from tfvae.training.initial_weights import start_at_base, start_at_marginals, start_at_unit_normal
from tfvae.training.latent_space import ball_curvature, latent_layers
from tfvae.training.likelihoods import SIZED
from tfvae.training.model_parts import ModelParts
from tfvae.training.own_code import require_allowed
from tfvae.training.run_data import RunData

_EXAMPLES_FOR_DENSITY = 1000
_ADAPTED = (
    layers.SizedNegativeBinomial,
    layers.Standardization,
    layers.Standardized,
    layers.TableEncoding,
    layers.TableLikelihood,
)


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
    model, training = config.model, config.training
    keras.utils.set_random_seed(training.seed)
    parts = ModelParts(config, splits)
    estimator = functools.partial(
        build, training.estimator, "training.estimator", num_samples=training.num_samples, kl=training.kl
    )
    if model.kind == "m2":
        vae = build_m2(parts, len(splits.train.class_names or ()), estimator())
    else:
        encoder, decoder = (_plain if splits.train.condition_shape is None else _conditional)(parts)
        of_prior = {
            "latent_size": model.latent_size,
            "encoder": encoder,
            "input_shape": splits.event_shape,
            "seed": training.seed,
            "condition_shape": splits.train.condition_shape,
        }
        vae = VAE(
            encoder,
            decoder,
            prior=build(model.prior, "model.prior", **of_prior, name="prior"),
            estimator=estimator(),
            beta=number_or_weighting(training.beta),
            seed=training.seed,
            name="vae",
        )
    # Also of data with masks, for arrays given to the model.
    has_missing = config.data.missing or splits.train.has_missing or splits.schema is not None
    vae.missing = "nan" if has_missing else None
    _start(vae, config, splits)
    rate = training.learning_rate
    learning_rate = build(rate, "training.learning_rate") if isinstance(rate, Mapping) else rate
    vae.compile(build(training.optimizer, "training.optimizer", learning_rate=learning_rate))
    return vae


def _plain(parts: ModelParts) -> tuple[keras.Model, keras.Model]:
    """Returns encoder and decoder of a model without a condition."""
    encoder_body, decoder_body = parts.encoder_body(parts.num_parameters), parts.decoder_body()
    posterior = parts.posterior()
    before, likelihood = parts.likelihood()
    of_z = latent_layers(parts.config.model)
    if ball_curvature(parts.config.model) is not None:
        of_z = [parts.points(), *of_z]
    return (
        keras.Sequential([*before, encoder_body, *posterior], name="encoder"),
        keras.Sequential([*of_z, decoder_body, likelihood], name="decoder"),
    )


def _conditional(parts: ModelParts) -> tuple[keras.Model, keras.Model]:
    """Returns encoder and decoder of a conditional model, of which one may have no condition."""
    shape, names = parts.splits.train.condition_shape or (), parts.config.model.conditioned
    if parts.takes_sizes:
        names = (*({"encoder"} if "encoder" in names and shape != (1,) else ()), "decoder")
    encoder, decoder = (None, None) if len(names) == 2 else _plain(parts)
    return (
        conditional_encoder(parts, shape) if "encoder" in names else encoder,
        conditional_decoder(parts, shape) if "decoder" in names else decoder,
    )


def _start(vae: VAE, config: RunConfig, splits: Splits) -> None:
    """Sets initial weights that depend on the data."""
    model = config.model
    train = RunData(config, splits).train()
    adapted = [layer for layer in vae._flatten_layers() if isinstance(layer, _ADAPTED)]
    x = with_nan(train.x, train.observed)
    for layer in adapted:
        layer.adapt(x)
    if not is_own_code(model.network_kind):
        if adapted:
            start_at_unit_normal(vae, has_scales=model.likelihood_kind not in ("table", SIZED))
        else:
            start_at_marginals(vae, train, model.likelihood_kind)
        if model.kind == "vae":
            start_at_base(vae.encoder, seed=config.training.seed)
    if isinstance(vae.prior, priors.VampPrior):
        if len(train) < vae.prior.num_components:
            raise ValueError(
                f"model.prior.num_components must be at most the number of training examples, {len(train)}, at which "
                f"the pseudo-inputs start. Received: model.prior.num_components={vae.prior.num_components}"
            )
        vae.prior.adapt(with_means(x), seed=config.training.seed)
    if model.likelihood_kind == "generic":
        _check_density(vae, with_means(x)[:_EXAMPLES_FOR_DENSITY], model.likelihood)


def _check_density(vae: VAE, x: np.ndarray, likelihood: Any) -> None:
    """Raises ValueError if examples have no finite density before training."""
    z = np.zeros((1, *vae.latent_shape), vae.variable_dtype)
    if not np.isfinite(vae.decode(z).log_prob(x.astype(vae.variable_dtype))).all():
        raise ValueError(
            "model.likelihood must have a finite log-density of the data, but some examples have none. `tfvae new` "
            f"writes those that fit. Received: model.likelihood={quoted(likelihood)}"
        )
