"""Checks of models whose latents are points of the Poincare ball."""

import tensorflow as tf

from tfvae._errors import quoted
from tfvae.data import Splits
from tfvae.parts import FAMILIES, part_of
from tfvae.parts.arguments import require
from tfvae.parts.building import constructor
from tfvae.training.config import RunConfig
from tfvae.training.latent_space import GYROPLANE, argument, ball_curvature
from tfvae.training.likelihoods import has_sizes
from tfvae.training.settings import ModelConfig


def check_ball(config: RunConfig, splits: Splits) -> None:
    """Raises ValueError if the parts of a model do not fit a posterior on the ball, or need one."""
    model, curvature = config.model, ball_curvature(config.model)
    if curvature is not None:
        require(curvature > 0, "model.posterior.curvature", "a number above 0", curvature)
    if model.network_kind == GYROPLANE:
        _check_network(model, curvature, splits)
    if curvature is not None and part_of(model.prior, "model.prior")[0] != "vamp":
        _check_prior(config, curvature)


def _check_network(model: ModelConfig, curvature: float | None, splits: Splits) -> None:
    if curvature is None:
        raise ValueError(
            f"model.network must be another than {GYROPLANE} with this posterior: its decoder takes points of the "
            "Poincare ball, the latents of the posteriors poincare_normal and riemannian_normal. "
            f"Received: model.network={quoted(model.network)} with model.posterior={quoted(model.posterior)}"
        )
    shape = splits.train.condition_shape
    has_condition = shape is not None and (shape != (1,) or not has_sizes(splits))
    if model.kind == "m2" or (has_condition and "decoder" in model.conditioned):
        raise ValueError(
            f"model.network must be another than {GYROPLANE} if the decoder gets a label or a condition, which is no "
            f"point of the Poincare ball. Received: model.network={quoted(model.network)}"
        )


def _check_prior(config: RunConfig, curvature: float) -> None:
    model = config.model
    of_prior = argument(model.prior, "model.prior", "curvature")
    if of_prior != curvature:
        raise ValueError(
            "model.prior.curvature must be that of the posterior, because the ball has the radius 1 / "
            f"sqrt(curvature). Received: model.prior.curvature={of_prior} with model.posterior.curvature={curvature}"
        )
    scale = argument(model.prior, "model.prior", "scale")
    require(scale > 0, "model.prior.scale", "a number above 0", scale)
    dtype = tf.float64 if config.training.precision == "float64" else tf.float32
    prior = constructor(FAMILIES["model.prior"].kinds[part_of(model.prior, "model.prior")[0]])
    largest = prior.max_scale(model.latent_size, curvature, dtype)
    if scale > largest:
        raise ValueError(
            f"model.prior.scale must be at most {largest:.3g} with model.latent_size={model.latent_size} and curvature "
            f"{curvature:g} in {dtype.name}, because farther points round to the boundary of the Poincare ball. A "
            "smaller curvature of posterior and prior, fewer latent dimensions or training.precision = "
            f'"float64" allow larger scales. Received: model.prior.scale={scale:g}'
        )
