"""A VAE as a scikit-learn transformer, for arrays and data frames."""

from tfvae import _backend as _backend
from tfvae.sklearn.vae_transformer import VAETransformer

__all__ = ["VAETransformer"]
