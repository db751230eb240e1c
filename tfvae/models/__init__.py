"""Models: a posterior, a prior, a likelihood and an estimator, trained together."""

from tfvae import _backend as _backend
from tfvae.models.check_saving import check_saving
from tfvae.models.load import load_model
from tfvae.models.vae import VAE

__all__ = ["VAE", "check_saving", "load_model"]
