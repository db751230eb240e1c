"""Numbers about a trained model, each with its standard error, and the report they go into."""

from tfvae import _backend as _backend
from tfvae.evaluation.elbo import elbo
from tfvae.evaluation.gradient_variance import GradientNoise, GradientVariance, gradient_variance
from tfvae.evaluation.log_marginal import log_marginal
from tfvae.evaluation.record import Record, bits_per_dim

__all__ = [
    "GradientNoise",
    "GradientVariance",
    "Record",
    "bits_per_dim",
    "elbo",
    "gradient_variance",
    "log_marginal",
]
